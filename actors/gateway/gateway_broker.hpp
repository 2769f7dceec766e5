#pragma once

#include "actors/gateway/gateway.hpp"
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

  /// Why we dial.
  struct call {
    endpoint to;
    moment deadline;
    std::shared_ptr<std::atomic<bool>> cancelled;
    control_client_actor client; ///< control; or
    std::uint64_t key = 0;
    run_id run = 0; ///< link
    node_index node{};
  };

  /// One connection and how far it has got.
  struct conversation {
    caf::intrusive_ptr<connection> line;
    step at = step::awaiting_hello;
    connection_role role = connection_role::control;
    bool accepted = false;
    bool over = false;
    bool dirty = false;
    moment accepted_at{};
    moment deadline{}; ///< of all steps but control and link
    std::string where; ///< the other side, as we know it
    call made;         ///< if we dialled
    hello greeting;    ///< of who is parked
    connection_id id{};
    control_client_actor client;     ///< control
    std::int64_t requests_left = 0;  ///< control, accepted: below 0 nothing more is read for a while
    std::uint64_t bytes_charged = 0; ///< for them
    std::uint64_t written = 0;       ///< control: bytes of what waited, when `progress` was made
    moment progress{};
    node_index node{};             ///< link
    std::uint64_t incarnation = 0; ///< of the process at the other end
    struct sent_block {
      round_number round = 0; ///< pairwise averaging: just a number
      const float* values = nullptr;
      parameter_block held; ///< pairwise averaging: so that its memory holds no other values
    };
    std::unordered_map<worker_id, sent_block> blocks_sent; ///< link: the last of each worker here
  };
  using conversation_ptr = std::shared_ptr<conversation>;

  // connections (gateway_broker.cpp)
  void accepted(caf::io::connection_handle handle);
  void turn_away_one();
  void readable(caf::io::connection_handle handle);
  void handle_frame(const conversation_ptr& c, frame& f);
  void take(const conversation_ptr& c, const hello& x);
  void refused(const conversation_ptr& c, const std::string& reason);
  void control_is_open(const conversation_ptr& c, control_client_actor client);
  void broken(const conversation_ptr& c);
  std::string explain_silence(const std::string& where, const connection& line) const;
  void refuse(const conversation_ptr& c, const std::string& reason);
  void part(const conversation_ptr& c);
  void end(const conversation_ptr& c);
  void take_off(const conversation_ptr& c);
  void note(const conversation_ptr& c);
  void flush_all();
  void write_out(const conversation_ptr& c);
  void tick();
  void check_deadlines(moment now);
  hello our_hello(connection_role role) const;
  traffic count_traffic() const;
  static void count_bytes(traffic& sum, const conversation& c);

  // dialling
  void make_call(call x, nanoseconds patience);
  void called(const dialled& x);
  void call_failed(const call& x, const std::string& reason);

  // control connections
  void start_control(const open_control& x);
  conversation_ptr find(connection_id id);
  void send_message(const send_control& x);
  void close_connection(connection_id id);
  std::size_t requesters() const;
  static void charge(conversation& c);
  void keep_controls(moment now);
  static bool is_stuck(conversation& c, moment now, bool was_stopped);
  void watch(const control_client_actor& client);
  void client_down(const caf::down_msg& down);

  // links (gateway_links.cpp)
  void join_links(const join_run& x);
  void leave_links();
  void move_node(const node_moved& x);
  void keep_links(moment now);
  void greet_link(const conversation_ptr& c, const hello& x);
  void take_link_reply(const conversation_ptr& c, const hello& x);
  void open_link(const conversation_ptr& c, node_index node, std::uint64_t incarnation);
  void hang_up_on(node_index node);
  void dismiss(const conversation_ptr& c);
  void link_down(node_index node, const std::string& reason, bool was_up);
  void tell_listener(node_index node, bool up, const std::string& reason);
  void deliver(const peer_message& m);
  void heard_on_link(conversation& c);
  void send_peer(worker_id from, worker_id to, const peer_body& body);
  void write_estimate(conversation& c, worker_id from, worker_id to, const estimate_message& m);
  bool write_ahead(conversation& c, worker_id from, worker_id to, const parameter_block& block);
  bool takes_what_is_sent(const conversation& c);

  gateway_options options_;
  int listener_;
  std::uint64_t incarnation_;
  std::vector<char> chunk_; ///< all connections read into it, one after the other

  std::unordered_map<std::int64_t, conversation_ptr> conversations_; ///< by handle
  std::map<connection_id, conversation_ptr> controls_;
  std::uint64_t last_id_ = 0;
  moment controls_kept_{};
  std::map<std::uint64_t, call> calls_;
  std::uint64_t last_call_ = 0;
  std::set<caf::actor_addr> monitored_;
  std::vector<conversation_ptr> dirty_;

  std::optional<link_table> links_;
  std::map<node_index, conversation_ptr> link_conversations_;

  // traffic of connections that are closed, and counters
  traffic past_;
  std::uint64_t eval_bytes_ = 0;
  std::uint64_t blocks_sent_ = 0;
  std::uint64_t backlog_max_ = 0;
  std::uint64_t refused_ = 0;
};

} // namespace dybw

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::gateway_tick)
