#include "actors/gateway/gateway.hpp"

#include "actors/gateway/gateway_broker.hpp"
#include "actors/transport/address.hpp"
#include "actors/transport/listening_socket.hpp"
#include "learning/base/error.hpp"

#include <caf/io/middleman.hpp>

#include <cerrno>

namespace dybw {

namespace {

listening_socket listen_on(const endpoint& where) {
  try {
    return listening_socket{where};
  } catch (const listen_failure& failure) {
    throw input_error{input_fault::network,
                      "cannot listen on " + to_string(where) + " (" + failure.what() + ")", "",
                      failure.error == EADDRINUSE ? "choose another port, or end the program that uses it"
                      : failure.error == EACCES   ? "choose a port from 1024 upwards"
                      : failure.error == EADDRNOTAVAIL ? "give an address of this machine"
                      : failure.error == 0 ? "give an address of this machine, for example 127.0.0.1:7400"
                                           : "check the address"};
  }
}

endpoint advertised_address(const gateway_options& options, const listening_socket& listener) {
  auto x = options.advertise.value_or(*options.listen);
  if (!options.advertise && is_any_address(x.host))
    x.host = own_name();
  if (x.port == 0)
    x.port = listener.port();
  return x;
}

} // namespace

opened_gateway open_gateway(caf::actor_system& system, const gateway_options& options) {
  opened_gateway opened;
  auto descriptor = -1;
  if (options.listen) {
    auto listener = listen_on(*options.listen);
    opened.advertised = advertised_address(options, listener);
    descriptor = listener.release();
  }
  caf::actor_config config{&system.middleman().backend()};
  opened.handle = system.spawn_class<gateway_broker, caf::no_spawn_options>(config, options, descriptor);
  return opened;
}

} // namespace dybw
