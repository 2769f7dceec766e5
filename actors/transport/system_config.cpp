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
  // An actor that keeps giving itself work, as a worker with small jobs does, lets others have their turn.
  set("scheduler.max-throughput", std::size_t{32});
  add_error_category(caf::atom("dybw"), [](std::uint8_t code, caf::atom_value, const caf::message&) {
    return to_string(static_cast<ec>(code));
  });
}

network_config::network_config() {
  load<caf::io::middleman>();
}

} // namespace dybw
