#include "apps/pages/report_page.hpp"

#include "apps/text/json_text.hpp"
#include "learning/base/number_text.hpp"
#include "learning/base/option_text.hpp"

#include <cassert>
#include <string_view>

namespace dybw {

namespace assets {

std::string_view base_css();
std::string_view base_js();
std::string_view chart_js();
std::string_view report_css();
std::string_view report_html();
std::string_view report_js();

} // namespace assets

namespace {

/// Per-worker series are most of the page, and no screen shows more digits than these.
void round_numbers(nlohmann::json& value) {
  if (value.is_number_float()) {
    const auto x = value.get<double>();
    value = parse_number<double>(number_text(x, std::chars_format::general, 5)).value_or(x);
  } else if (value.is_structured()) {
    for (auto& element : value)
      round_numbers(element);
  }
}

/// JSON that is safe inside a script element: without '<' there is neither `</script` nor `<!--`, and
/// U+2028/9 end a line in older JavaScript. All three occur within strings only, where an escape means the
/// same.
std::string script_safe(const nlohmann::json& value) {
  const auto text = json_text(value);
  std::string safe;
  safe.reserve(text.size() + text.size() / 16);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto rest = std::string_view{text}.substr(i, 3);
    if (text[i] == '<') {
      safe += "\\u003c";
    } else if (rest == "\xE2\x80\xA8" || rest == "\xE2\x80\xA9") {
      safe += rest.back() == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      safe += text[i];
    }
  }
  return safe;
}

/// Appends the template up to `marker`, then `content`; returns what follows the marker. One pass, so that a
/// marker inside a content means nothing.
std::string_view fill(std::string& page, std::string_view rest, std::string_view marker,
                      std::string_view content) {
  const auto at = rest.find(marker);
  assert(at != std::string_view::npos);
  page += rest.substr(0, at);
  page += content;
  return rest.substr(at + marker.size());
}

} // namespace

std::string render_report(const nlohmann::json& data) {
  auto rounded = data;
  if (const auto series = rounded.find("series"); series != rounded.end())
    round_numbers(*series);
  const auto json = script_safe(rounded);

  std::string page;
  page.reserve(json.size() + assets::report_html().size() + assets::base_css().size() +
               assets::report_css().size() + assets::base_js().size() + assets::report_js().size() +
               assets::chart_js().size());
  auto rest = assets::report_html();
  rest = fill(page, rest, "@{base.css}", assets::base_css());
  rest = fill(page, rest, "@{report.css}", assets::report_css());
  rest = fill(page, rest, "@{chart.js}", assets::chart_js());
  rest = fill(page, rest, "@{data}", json);
  rest = fill(page, rest, "@{base.js}", assets::base_js());
  rest = fill(page, rest, "@{report.js}", assets::report_js());
  page += rest;
  return page;
}

} // namespace dybw
