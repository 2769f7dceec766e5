#include "learning/data/csv_records.hpp"

#include "learning/base/error.hpp"

namespace dybw {

namespace {

constexpr std::size_t chunk_bytes = 1U << 18U;
constexpr std::size_t record_bytes_max = 64U << 20U;

} // namespace

void csv_records::refuse(std::size_t line, const std::string& what, const std::string& mend) const {
  throw input_error{input_fault::data, what, file_->string() + " line " + std::to_string(line), mend};
}

bool csv_records::refill() {
  if (rest_ == nullptr || !*rest_)
    return false;
  buffer_.resize(chunk_bytes);
  rest_->read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  chunk_ = {buffer_.data(), static_cast<std::size_t>(rest_->gcount())};
  at_ = 0;
  return !chunk_.empty();
}

int csv_records::peek() {
  if (at_ == chunk_.size() && !refill())
    return end_of_file;
  return static_cast<unsigned char>(chunk_[at_]);
}

void csv_records::append(const char* from, std::size_t count) {
  if (text_.size() + count > record_bytes_max)
    refuse(begin_, "a row of more than 64 MiB begins", "is a quote not closed there?");
  text_.append(from, count);
}

void csv_records::skip_blanks() {
  while (is_blank(peek()))
    skip();
}

void csv_records::read_plain() {
  const auto begin = text_.size();
  const char stops[] = {separator_, '\r', '\n', '\0'};
  const std::string_view stop{stops, sizeof stops};
  while (peek() != end_of_file) {
    const auto to = std::min(chunk_.find_first_of(stop, at_), chunk_.size());
    append(chunk_.data() + at_, to - at_);
    at_ = to;
    if (at_ < chunk_.size())
      break;
  }
  while (text_.size() > begin && is_blank(text_.back()))
    text_.pop_back();
}

void csv_records::read_quoted() {
  const auto opened = line_;
  skip();
  for (auto c = peek();; c = peek()) {
    if (c == end_of_file)
      refuse(opened, "a quote is opened and never closed", "close it, or double it inside a quoted cell");
    if (c == '\0')
      return; // end_cell() refuses it
    skip();
    if (c == '"') {
      if (peek() != '"')
        break;
      skip();
    } else if (c == '\n' || (c == '\r' && peek() != '\n')) {
      ++line_;
    }
    const auto byte = static_cast<char>(c);
    append(&byte, 1);
  }
  skip_blanks();
}

/// Steps over what follows a cell and returns it: the separator, a line end as '\n', or the file's end.
int csv_records::end_cell() {
  const auto c = peek();
  if (c == end_of_file)
    return c;
  if (c == '\0')
    refuse(line_, "a zero byte", "the file is damaged or no text; give a text file in UTF-8");
  if (c != '\r' && c != '\n' && c != static_cast<unsigned char>(separator_))
    refuse(line_, "text behind a closing quote", "double quotes inside a quoted cell");
  skip();
  if (c == '\r' && peek() == '\n')
    skip();
  if (c != '\r' && c != '\n')
    return c;
  ++line_;
  return '\n';
}

bool csv_records::next() {
  text_.clear();
  ends_.clear();
  begin_ = line_;
  if (peek() == end_of_file)
    return false;
  for (auto end = static_cast<int>(static_cast<unsigned char>(separator_));
       end == static_cast<unsigned char>(separator_);) {
    skip_blanks();
    if (peek() == '"')
      read_quoted();
    else
      read_plain();
    end = end_cell();
    ends_.push_back(text_.size());
  }
  cells_.clear();
  std::size_t begin = 0;
  for (const auto end : ends_) {
    cells_.push_back(std::string_view{text_}.substr(begin, end - begin));
    begin = end;
  }
  return true;
}

} // namespace dybw
