#pragma once

#include "actors/gateway/control_access.hpp"
#include "actors/gateway/control_table.hpp"
#include "actors/gateway/gateway.hpp"
#include "actors/gateway/gateway_doorman.hpp"
#include "actors/gateway/handshake_queue.hpp"
#include "actors/gateway/link_table.hpp"
#include "actors/transport/connection.hpp"
#include "actors/transport/dialler.hpp"

#include <caf/io/broker.hpp>
#include <caf/io/typed_broker.hpp>

#include <map>
#include <set>
#include <unordered_map>

namespace dybw {

/// The gateway's own clock.
struct gateway_tick {};

/// What a gateway is to the multiplexer and its dialler, beside what it is to others.
using gateway_inside =
    gateway_actor::extend<caf::reacts_to<caf::io::new_connection_msg>, caf::reacts_to<caf::io::new_data_msg>,
                          caf::reacts_to<caf::io::connection_closed_msg>,
                          caf::reacts_to<caf::io::acceptor_closed_msg>, caf::reacts_to<dialled>,
                          caf::reacts_to<gateway_tick>>;

/// The gateway (actors/gateway/gateway.hpp). All of it runs on the multiplexer's thread; nothing in it
/// blocks.
class gateway_broker final : public gateway_inside::broker_base {
public:
  /// `listener` is a socket that listens already, or -1.
  gateway_broker(caf::actor_config& config, gateway_options options, int listener);

  behavior_type make_behavior() override;
  resume_result resume(caf::execution_unit* context, std::size_t messages_max) override;
  void on_exit() override;
  bool cleanup(caf::error&& reason, caf::execution_unit* host) override;
  const char* name() const override { return "gateway"; }

  ~gateway_broker() override;

private:
  using clock = std::chrono::steady_clock;
  using moment = clock::time_point;

  enum class step {
    awaiting_hello, ///< accepted
    parked,         ///< accepted, for a run that we have not joined (yet)
    awaiting_reply, ///< dialled, our hello is sent
    control,
    link,
    parting, ///< we have said our last word; the other side is to close
  };

  /// Where we dial, and for whom.
  struct dial_attempt {
    endpoint to;
    moment deadline;
    std::shared_ptr<void> wanted; ///< the dialler gives up when it is gone
    control_client_actor client;  ///< control; or
    std::uint64_t key = 0;
    run_id run = 0; ///< link
    node_index node{};
  };

  /// A connection with what it is for, and how far it has got.
  struct attached_connection {
    caf::intrusive_ptr<dybw::connection> connection;
    step at = step::awaiting_hello;
    connection_role role = connection_role::control;
    bool accepted = false;
    bool over = false;
    bool dirty = false;
    moment accepted_at{};
    moment deadline{}; ///< of all steps but control and link
    std::string where; ///< the other side, as we know it
    std::shared_ptr<const peer_identity>
        peer;                      ///< whom its certificate names, from its hello on; null without TLS
    dial_attempt attempt;          ///< if we dialled
    hello greeting;                ///< of who is parked
    connection_id id{};            ///< control
    control_client_actor client;   ///< control, or to be
    node_index node{};             ///< link
    std::uint64_t incarnation = 0; ///< of the process at the other end
    struct sent_block {
      round_number round = 0; ///< pairwise averaging: just a number
      round_number base = 0;
      const float* values = nullptr;
      parameter_block held; ///< pairwise averaging: so that its memory holds no other values
    };
    std::unordered_map<worker_id, sent_block> blocks_sent; ///< link: the last of each worker here
  };
  using attached = std::shared_ptr<attached_connection>;

  static constexpr auto* takes_nothing_reason = "the other side does not take what is sent";

  /// Those for which this holds; they may end while one goes through them.
  template <class Predicate>
  std::vector<attached> select(Predicate holds) const {
    std::vector<attached> those;
    for (const auto& [handle, c] : attached_)
      if (holds(*c))
        those.push_back(c);
    return those;
  }

  // connections (gateway_broker.cpp)
  void accepted(caf::io::connection_handle handle);
  void start_handshakes();
  void turn_away_one();
  void readable(caf::io::connection_handle handle);
  void handle_frame(const attached& c, frame& f);
  void take(const attached& c, const hello& x);
  void take_request(const attached& c, std::shared_ptr<const control_message> request);
  std::string refusal_of_certificate(const attached_connection& c, const hello& x) const;
  void refused(const attached& c, const std::string& reason);
  void broken(const attached& c);
  std::string explain_silence(const attached_connection& c) const;
  void tell_lost(const attached& c, const std::string& reason);
  void lose(const attached& c, const std::string& reason);
  void refuse(const attached& c, const std::string& reason);
  void part(const attached& c);
  void end(const attached& c);
  void take_off(const attached& c);
  void note(const attached& c);
  void flush_all();
  void write_out(const attached& c);
  void tick();
  void check_deadlines(moment now);
  hello our_hello(connection_role role) const;
  traffic count_traffic() const;
  static void count_bytes(traffic& sum, const attached_connection& c);

  // dialling
  void dial(dial_attempt x, nanoseconds patience);
  void dialling_over(const dialled& x);
  void dialling_failed(const dial_attempt& x, const std::string& reason);

  // control connections (gateway_controls.cpp)
  void dial_control(const open_control& x);
  void greet_control(const attached& c);
  void become_control(const attached& c);
  attached find(connection_id id);
  void send_message(const send_control& x);
  void close_connection(connection_id id);
  void keep_controls(moment now);
  void hold_request(const attached& c);
  static control_table::flow flow_of(const attached_connection& c);
  void watch(const control_client_actor& client);
  void client_down(const caf::down_msg& down);

  // links (gateway_links.cpp)
  void join_links(const join_run& x);
  void leave_links();
  void move_node(const node_moved& x);
  void keep_links(moment now);
  std::string refusal_of_request(const attached_connection& c, const control_message& request) const;
  void greet_link(const attached& c, const hello& x);
  void take_link_reply(const attached& c, const hello& x);
  void open_link(const attached& c, node_index node, std::uint64_t incarnation);
  void stop_dialling(node_index node);
  void dismiss(const attached& c);
  void link_down(node_index node, const std::string& reason, bool was_up);
  void tell_listener(node_index node, bool up, const std::string& reason);
  void take_in(peer_message&& m);
  void deliver();
  void heard_on_link(attached_connection& c);
  void send_peer(const peer_message& m);
  void write_estimate(attached_connection& c, worker_id from, worker_id to, const estimate_message& m);
  bool write_ahead(attached_connection& c, worker_id from, worker_id to, const parameter_block& block,
                   const block_label& label);
  bool has_size_of_run(worker_id from, std::size_t words, round_number base) const;
  bool takes_what_is_sent(const attached_connection& c);

  gateway_options options_;
  int listener_;
  std::uint64_t incarnation_;
  caf::intrusive_ptr<gateway_doorman> doorman_; ///< null if it dials only
  std::vector<char> chunk_;                     ///< all connections read into it, one after the other

  std::unordered_map<std::int64_t, attached> attached_; ///< by handle
  std::map<std::uint64_t, dial_attempt> attempts_;
  std::uint64_t last_attempt_ = 0;
  std::set<caf::actor_addr> monitored_;
  std::vector<attached> dirty_;

  control_table controls_;
  handshake_queue handshakes_; ///< of accepted connections that are not read yet
  std::optional<link_table> links_;
  std::optional<past_run> before_; ///< who may ask for what came of it
  std::map<node_index, attached> linked_;
  peer_mail arrived_; ///< for one worker, not delivered yet

  // traffic of connections that are closed, and counters
  traffic past_;
  std::uint64_t eval_bytes_ = 0;
  std::uint64_t blocks_sent_ = 0;
  std::uint64_t backlog_max_ = 0;
  std::uint64_t refused_ = 0;
};

} // namespace dybw

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::gateway_tick)
