#include "tests/program/child_process.hpp"

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dybw::test {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

} // namespace

child_process::child_process(const std::vector<std::string>& command, const std::filesystem::path& directory)
    : since_(clock::now()) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    fail("pipe2");
  std::vector<char*> words;
  for (const auto& word : command)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  // What is sent to the child before it runs the program must not meet this test's own handlers.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  process_ = fork();
  if (process_ == 0) {
    const auto nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(nothing, STDIN_FILENO) >= 0 && dup2(out[1], STDOUT_FILENO) >= 0 &&
        dup2(err[1], STDERR_FILENO) >= 0 && (directory.empty() || chdir(directory.c_str()) == 0)) {
      for (const auto each : {SIGINT, SIGTERM}) // also where a test runner in the background has them ignored
        signal(each, SIG_DFL);
      sigprocmask(SIG_SETMASK, &before, nullptr);
      execv(words[0], words.data());
    }
    _exit(127);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (process_ < 0)
    fail("fork");
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

child_process::~child_process() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  for (auto descriptor : {out_, err_})
    if (descriptor >= 0)
      close(descriptor);
}

void child_process::send(int signal) {
  since_ = clock::now();
  kill(process_, signal);
}

bool child_process::read_one(int& descriptor, std::string& to) {
  std::array<char, 65536> piece{};
  const auto size = read(descriptor, piece.data(), piece.size());
  if (size > 0) {
    to.append(piece.data(), static_cast<std::size_t>(size));
    return true;
  }
  close(descriptor);
  descriptor = -1;
  return false;
}

void child_process::collect(clock::time_point deadline, const std::string& text) {
  while (out_ >= 0 || err_ >= 0) {
    if (!text.empty() && has_said(text))
      return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    if (left <= 0)
      return;
    std::array<pollfd, 2> watched{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}}; // below 0: passed over
    if (poll(watched.data(), watched.size(), static_cast<int>(left)) <= 0)
      continue;
    if (watched[0].revents != 0)
      read_one(out_, end_.out);
    if (watched[1].revents != 0)
      read_one(err_, end_.err);
  }
}

bool child_process::go_on(std::chrono::milliseconds time) {
  collect(clock::now() + time, "");
  return out_ >= 0 || err_ >= 0;
}

bool child_process::go_on_until(const std::string& text, std::chrono::milliseconds time) {
  collect(clock::now() + time, text);
  return has_said(text);
}

bool child_process::has_said(const std::string& text) const {
  return end_.err.find(text) != std::string::npos || end_.out.find(text) != std::string::npos;
}

process_end child_process::wait(std::chrono::milliseconds patience) {
  collect(clock::now() + patience, ""); // both pipes closed: it has ended, or is about to
  if (out_ >= 0 || err_ >= 0) {
    end_.killed = true;
    kill(process_, SIGKILL);
  }
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = -1;
  end_.took = clock::now() - since_;
  if (WIFSIGNALED(status))
    end_.signal = WTERMSIG(status);
  else
    end_.code = WEXITSTATUS(status);
  return end_;
}

std::vector<std::string> dybw_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{DYBW_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

process_end dybw(const std::vector<std::string>& arguments, const std::filesystem::path& directory) {
  return child_process{dybw_command(arguments), directory}.wait();
}

} // namespace dybw::test
