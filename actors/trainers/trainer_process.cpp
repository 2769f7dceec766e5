#include "actors/trainers/trainer_process.hpp"

#include "messages/peer_text.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace dybw {

namespace {

void check(int error) {
  if (error != 0)
    throw std::system_error{error, std::generic_category(), "cannot start a trainer"};
}

/// What `posix_spawn` is to do in the child.
class child_setup {
public:
  child_setup(const std::filesystem::path& out, const std::filesystem::path& err, bool append) {
    check(posix_spawn_file_actions_init(&actions_));
    check(posix_spawnattr_init(&attributes_));
    const auto written = O_WRONLY | O_CREAT | O_APPEND | (append ? 0 : O_TRUNC);
    check(posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0));
    check(posix_spawn_file_actions_addopen(&actions_, 1, out.c_str(), written, 0666));
    check(posix_spawn_file_actions_addopen(&actions_, 2, err.c_str(), written, 0666));
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    check(posix_spawnattr_setsigmask(&attributes_, &none));
    check(posix_spawnattr_setsigdefault(&attributes_, &all));
    check(posix_spawnattr_setpgroup(&attributes_, 0));
    check(posix_spawnattr_setflags(&attributes_,
                                   POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }
  ~child_setup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  child_setup(const child_setup&) = delete;
  child_setup& operator=(const child_setup&) = delete;

  const posix_spawn_file_actions_t* actions() const noexcept { return &actions_; }
  const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// This process's environment with these variables set.
std::vector<std::string> environment(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> all;
  for (auto** x = environ; *x != nullptr; ++x) {
    const std::string text{*x};
    if (!variables.contains(text.substr(0, text.find('='))))
      all.push_back(text);
  }
  for (const auto& [name, value] : variables)
    all.push_back(name + '=' + value);
  return all;
}

std::string last_line(const std::filesystem::path& file) {
  constexpr std::streamoff looked_at = 4096;
  std::ifstream in{file, std::ios::binary | std::ios::ate};
  in.seekg(std::max<std::streamoff>(0, static_cast<std::streamoff>(in.tellg()) - looked_at));
  std::string last;
  for (std::string line; std::getline(in, line);)
    if (line.find_first_not_of(" \t\r") != line.npos)
      last = line;
  clean_peer_text(last);
  return last;
}

} // namespace

trainer_process::trainer_process(const std::string& command,
                                 const std::map<std::string, std::string>& variables,
                                 std::filesystem::path out, std::filesystem::path err, bool append)
    : err_(std::move(err)) {
  signal(SIGCHLD, SIG_DFL); // else the system forgets how it ended
  const child_setup setup{out, err_, append};
  auto texts = environment(variables);
  std::vector<char*> variables_given;
  for (auto& x : texts)
    variables_given.push_back(x.data());
  variables_given.push_back(nullptr);
  std::array<std::string, 3> words{"sh", "-c", command};
  std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
  check(posix_spawn(&pid_, "/bin/sh", setup.actions(), setup.attributes(), arguments.data(),
                    variables_given.data()));
  handle_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (handle_ >= 0)
    fcntl(handle_, F_SETFD, FD_CLOEXEC);
}

trainer_process::~trainer_process() {
  kill_all();
  if (handle_ >= 0)
    close(handle_);
}

/// Leaves it a zombie, so that its number stays ours until the group is ended.
std::optional<trainer_process::end> trainer_process::look() const {
  for (;;) {
    if (reaped_)
      return end_;
    siginfo_t seen{};
    if (waitid(P_PID, static_cast<id_t>(pid_), &seen, WEXITED | WNOHANG | WNOWAIT) != 0)
      continue; // it is being reaped
    if (seen.si_pid != pid_)
      return std::nullopt;
    return end{seen.si_code != CLD_EXITED, seen.si_status};
  }
}

bool trainer_process::ends_within(std::chrono::milliseconds patience) const {
  constexpr std::chrono::milliseconds at_once{10};
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!ended()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return false;
    pollfd wanted{handle_, POLLIN, 0};
    poll(&wanted, handle_ >= 0 ? 1 : 0, static_cast<int>(handle_ >= 0 ? left.count() : at_once.count()));
  }
  return true;
}

std::string trainer_process::how_it_ended() const {
  ends_within(std::chrono::seconds{1});
  std::string text = "has closed its connection";
  if (auto how = look()) {
    constexpr auto shell_says_signal = 128;
    if (!how->by_signal && how->code > shell_says_signal)
      how = end{true, how->code - shell_says_signal};
    text = how->by_signal
               ? "was ended by signal " + std::to_string(how->code) + " (" + strsignal(how->code) + ")"
               : "ended with code " + std::to_string(how->code);
  }
  const auto said = last_line(err_);
  return said.empty() ? text : text + ": " + said;
}

void trainer_process::terminate() noexcept {
  if (!reaped_)
    kill(-pid_, SIGTERM);
}

/// The group outlives its first process if that left children behind.
void trainer_process::kill_all() noexcept {
  if (reaped_)
    return;
  end_ = look().value_or(end{true, SIGKILL});
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  reaped_ = true;
}

} // namespace dybw
