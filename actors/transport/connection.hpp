#pragma once

#include "actors/transport/channel.hpp"
#include "actors/transport/outbox.hpp"
#include "messages/frame.hpp"
#include "messages/limits.hpp"

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/event_handler.hpp>
#include <caf/io/scribe.hpp>

namespace dybw {

/// One connection of a gateway: a CAF scribe with an event handler of its own, since CAF's stream copies what
/// is sent, fills its read buffer with zeros before every read and keeps a closed connection open until the
/// other side takes the rest. Lives on the multiplexer's thread.
///
/// When something can be read, or nothing ever again, the broker gets `new_data_msg` without data and takes
/// the frames itself; blocks are read straight into their buffers and written straight from theirs.
class connection final : public caf::io::scribe {
public:
  /// Takes over the socket.
  connection(caf::io::network::default_multiplexer& backend, int socket, std::unique_ptr<channel> channel);
  ~connection() override;

  /// Begins to read. To be called once, when the broker has it.
  void start();

  frame_parser& parser() noexcept { return parser_; }
  /// Called when `new_data_msg` comes; bounds what is read until the next one.
  void begin_reading() noexcept { budget_ = event_bytes_max; }
  /// The next frame, or nothing: more comes later, or it `failed`, or what came has a `fault`. `chunk` serves
  /// for reading until nothing is returned.
  std::optional<frame> next_frame(std::span<char> chunk);
  /// Reads nothing more, beyond what `next_frame` still has in the chunk. When it goes on, what has come in
  /// the meantime may be here already: ask `next_frame`.
  void pause_reading();
  void go_on_reading();
  /// Reads and forgets, from now on.
  void discard_input(std::span<char> chunk);

  /// Frames to send; `flush` writes what the connection takes, the rest follows by itself.
  outbox& out() noexcept { return out_; }
  void flush() override;
  /// Whether some of it waits for the other side to take more.
  bool is_full() const noexcept { return writing_; }
  /// Says that nothing more will be sent, once everything has been written.
  void finish_writing();
  /// Drops what is not yet written. The broker hears no more of it.
  void close();

  /// Gives it up; the broker hears of it by the next `new_data_msg`.
  void fail(std::string why);
  bool failed() const noexcept { return failed_; }
  /// Why, in one clause without a stop, and what to mend if that is known.
  std::string failure() const;
  const std::string& remedy() const noexcept { return channel_->remedy(); }
  /// What is wrong with the bytes that came. Can still be told to the other side.
  ec fault() const noexcept { return fault_; }

  /// Whom the other side's certificate names, once a frame has come; null without TLS.
  std::shared_ptr<const peer_identity> peer() const { return channel_->peer(); }

  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  std::uint64_t bytes_written() const noexcept { return bytes_written_; }

  // scribe
  void configure_read(caf::io::receive_policy::config) override { start(); }
  void ack_writes(bool) override {}
  std::vector<char>& wr_buf() override { return out_.tail(); }
  std::vector<char>& rd_buf() override { return unused_; }
  void graceful_shutdown() override { close(); }
  std::string addr() const override;
  std::uint16_t port() const override;
  void add_to_loop() override { start(); }
  void remove_from_loop() override;

private:
  class handler final : public caf::io::network::event_handler {
  public:
    handler(connection& owner, caf::io::network::default_multiplexer& backend, int socket);
    void handle_event(caf::io::network::operation op) override;
    void removed_from_loop(caf::io::network::operation op) override;
    void graceful_shutdown() override { owner_.close(); }

    void want(caf::io::network::operation op);
    void want_no_more(caf::io::network::operation op);

  private:
    caf::intrusive_ptr<connection>& held_for(caf::io::network::operation op);

    connection& owner_;
    // Keep the connection while the multiplexer knows the handler; one for each kind of event, since they are
    // removed one after the other.
    caf::intrusive_ptr<connection> held_for_reading_;
    caf::intrusive_ptr<connection> held_for_writing_;
  };

  void readable();
  void writable();
  bool read_some(std::span<char> chunk);
  void write_some();
  void give_up_writing();

  handler handler_;
  std::unique_ptr<channel> channel_;
  frame_parser parser_;
  std::span<const char> unparsed_; ///< of the chunk
  std::size_t budget_ = 0;
  outbox out_;
  bool writing_ = false; ///< waits until the socket takes more
  bool finishing_ = false;
  bool deaf_ = false; ///< the other side takes no more
  bool paused_ = false;
  bool discarding_ = false;
  bool failed_ = false;
  bool closed_ = false;
  std::string failure_;
  ec fault_ = ec::none;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::vector<char> unused_;
};

} // namespace dybw
