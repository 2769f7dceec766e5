#include "actors/transport/system_config.hpp"

#include "messages/wire.hpp"

#include <caf/atom.hpp>
#include <caf/io/middleman.hpp>

#include <algorithm>
#include <thread>

namespace dybw {

system_config::system_config() {
  add_message_types<caf::id_block::dybw>();
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-threads", std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 8));
  add_error_category(caf::atom("dybw"), [](std::uint8_t code, caf::atom_value, const caf::message&) {
    return to_string(static_cast<ec>(code));
  });
}

network_config::network_config() {
  load<caf::io::middleman>();
}

} // namespace dybw
