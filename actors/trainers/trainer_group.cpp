#include "actors/trainers/trainer_group.hpp"

#include "actors/trainers/turn.hpp"
#include "learning/base/error.hpp"
#include "messages/trainer_protocol.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>

namespace dybw {

namespace {

constexpr auto look_every = std::chrono::milliseconds{50};
constexpr auto hello_within = std::chrono::seconds{5};
/// How long trainers may take to end once they were told, and once they were asked to by a signal.
constexpr auto bye_patience = std::chrono::seconds{2};
constexpr auto terminate_patience = std::chrono::seconds{1};

std::string says(std::uint32_t worker, const std::string& what) {
  return "worker " + std::to_string(worker) + ": " + what;
}

/// Counts while it lives.
class occupation {
public:
  explicit occupation(std::atomic<int>& count) : count_(count) { ++count_; }
  ~occupation() { --count_; }
  occupation(const occupation&) = delete;
  occupation& operator=(const occupation&) = delete;

private:
  std::atomic<int>& count_;
};

} // namespace

/// A worker whose steps are those of its trainer.
class process_learner final : public local_learner {
public:
  process_learner(std::shared_ptr<trainer_group> group, worker_id id)
      : group_(std::move(group)), id_(id), link_(group_->link_of(index_of(id))), slots_(link_->slots()) {}

  learner_output step(const learner_input& at, std::span<const float> w, std::span<float> next) override {
    for (;;)
      try {
        return link_->step(at, w, next);
      } catch (const learner_failed& failed) {
        auto another = group_->restarted(id_, failed.what());
        if (!another)
          throw;
        link_ = std::move(another);
      }
  }
  /// In the memory of the first process: one that is started again gets copies.
  std::shared_ptr<float_buffer> allocate(std::size_t count) override {
    auto shared = slots_->acquire();
    return shared ? shared : local_learner::allocate(count);
  }
  bool waits() const noexcept override { return true; }
  bool is_opaque() const noexcept override { return true; }
  std::string_view maker() const noexcept override { return link_->name(); }
  /// Nothing if it has failed, which the next step tells, or mends.
  std::vector<char> save() override {
    try {
      return link_->save();
    } catch (const learner_failed&) {
      return {};
    }
  }

private:
  std::shared_ptr<trainer_group> group_;
  worker_id id_;
  std::shared_ptr<trainer_link> link_;
  std::shared_ptr<shared_slots> slots_;
};

struct trainer_group::member {
  std::uint32_t worker = 0;
  std::uint32_t restarts = 0;                      ///< so far
  std::shared_ptr<trainer_process> process;        ///< null: somebody else's
  std::atomic<std::shared_ptr<trainer_link>> link; ///< null before its hello
  std::exception_ptr failure;
};

trainer_group::trainer_group(trainer_options options) : options_(std::move(options)) {
  start();
}

trainer_group::~trainer_group() {
  end();
}

bool trainer_group::interrupted() const {
  return over_ || (options_.interrupted && options_.interrupted());
}

void trainer_group::start() {
  members_.clear();
  over_ = no_scores_ = false;
  if (options_.attach.empty())
    place_ = std::make_unique<private_directory>();
  entrance_ = std::make_unique<trainer_entrance>(place_ ? place_->path() / "trainers" : options_.attach);
  std::vector<member*> all;
  try {
    for (const auto worker : options_.here) {
      all.push_back(members_.emplace_back(std::make_unique<member>()).get());
      all.back()->worker = worker;
    }
    for (auto* m : all)
      launch(*m);
    accept_all(all);
    if (!interrupted())
      prepare_all();
  } catch (...) {
    end();
    throw;
  }
}

void trainer_group::launch(member& of) {
  if (!place_)
    return; // somebody else does
  const auto number = std::to_string(of.worker);
  std::map<std::string, std::string> variables{{"DYBW_TRAINER", entrance_->path().string()},
                                               {"DYBW_WORKER", number}};
  // Trainers that each took all processors would get in each other's way.
  const auto processors = std::max(1U, std::thread::hardware_concurrency());
  const auto set_if_missing = [&](const char* name, const std::string& value) {
    if (std::getenv(name) == nullptr)
      variables[name] = value;
  };
  set_if_missing("OMP_NUM_THREADS",
                 std::to_string(std::max(1U, processors / static_cast<std::uint32_t>(members_.size()))));
  set_if_missing("PYTHONUNBUFFERED", "1");
  const auto logs = options_.logs.empty() ? place_->path() : options_.logs;
  std::filesystem::create_directories(logs);
  auto process = std::make_shared<trainer_process>(
      options_.command, variables, logs / ("worker-" + number + ".out"), logs / ("worker-" + number + ".err"),
      options_.append || of.restarts > 0);
  of.process = std::move(process);
  of.link.store(nullptr);
}

/// Until all these have said hello.
void trainer_group::accept_all(std::span<member* const> awaited) {
  while (!std::ranges::all_of(awaited, [](const auto* m) { return m->link.load() != nullptr; })) {
    if (interrupted())
      return;
    if (const auto connection = entrance_->accepted(look_every); connection >= 0) {
      introduce(connection, awaited);
      continue;
    }
    for (const auto* m : awaited)
      if (!m->link.load() && m->process && m->process->ended())
        throw learner_failed{says(m->worker, "its trainer " + m->process->how_it_ended())};
  }
}

/// Whatever says nothing that we know is no trainer, and is let go.
void trainer_group::introduce(int connection, std::span<member* const> awaited) {
  auto socket = std::make_unique<trainer_socket>(connection);
  if (!socket->says_something_within(hello_within, -1))
    return;
  trainer_entrance::set_patience(connection, hello_within);
  std::uint32_t magic = 0;
  std::uint32_t protocol = 0;
  std::int32_t worker = 0;
  std::uint32_t pid = 0;
  std::string version;
  try {
    const auto& m = socket->receive(-1);
    if (m.type != DYBW_HELLO)
      return;
    read_trainer_body(m.body, magic, protocol, worker, pid, version);
    if (magic != DYBW_MAGIC)
      return;
    trainer_entrance::set_patience(connection, std::chrono::seconds{0});
    if (protocol != DYBW_PROTOCOL) {
      const auto why = version + " speaks version " + std::to_string(protocol) +
                       " of the trainers' protocol, dybw " + DYBW_VERSION + " version " +
                       std::to_string(DYBW_PROTOCOL);
      socket->send(DYBW_REFUSED, trainer_body(why));
      throw input_error{input_fault::configuration, why, "", "use versions that belong together"};
    }
    const auto place = std::ranges::find_if(awaited, [&](const auto* x) {
      return !x->link.load() && ((worker < 0 && !place_) || x->worker == static_cast<std::uint32_t>(worker));
    });
    if (place == awaited.end())
      return socket->send(DYBW_REFUSED,
                          trainer_body(worker < 0 ? std::string{"every worker of this run has a trainer"}
                                                  : "worker " + std::to_string(worker) +
                                                        " has a trainer already, or is none of this run"));
    auto& found = **place;
    auto link = std::make_shared<trainer_link>(found.worker, std::move(socket), found.process);
    link->place(trainer_body(std::uint32_t{DYBW_PROTOCOL}, found.worker, options_.workers, options_.seed,
                             std::string{DYBW_VERSION}, options_.data));
    found.link = std::move(link);
  } catch (const input_error&) {
    throw;
  } catch (const std::runtime_error&) {
    return; // it is gone, or no trainer
  }
}

/// Does this with each, all at once: any may take long, or hang. If one fails, or somebody wants an end, the
/// others are ended as well. Throws what the first throws that fails.
void trainer_group::with_each(const std::function<void(member&)>& talk) {
  std::counting_semaphore<> done{0};
  std::atomic<member*> first_failed = nullptr;
  {
    std::vector<std::jthread> threads;
    for (const auto& m : members_)
      threads.emplace_back([&, at = m.get()] {
        try {
          talk(*at);
        } catch (...) {
          at->failure = std::current_exception();
          member* none = nullptr;
          first_failed.compare_exchange_strong(none, at);
        }
        done.release();
      });
    for (auto left = members_.size(); left > 0;) {
      if (done.try_acquire_for(look_every))
        --left;
      if (first_failed != nullptr || interrupted())
        for (const auto& m : members_)
          m->link.load()->abort();
    }
  }
  if (interrupted())
    return;
  // Those that were ended for another's sake come after the one whose fault it was.
  if (const auto* m = first_failed.load())
    try {
      std::rethrow_exception(m->failure);
    } catch (const learner_failed& e) {
      throw learner_failed{says(m->worker, e.what())};
    }
}

/// Until all have said what they learn and where they begin.
void trainer_group::prepare_all() {
  with_each([this](member& m) {
    m.link.load()->prepare([&](std::uint64_t samples, std::span<const std::int32_t> labels) {
      return deal_rows(samples, labels, options_.workers, options_.partition, options_.seed, m.worker);
    });
  });
  if (interrupted())
    return;
  const auto& first = *members_.front();
  if (!model_)
    layout_ = first.link.load()->layout();
  for (const auto& m : members_)
    check_layout(*m);
  parameter_block start;
  with_each([&](member& m) {
    const auto link = m.link.load();
    link->share();
    if (const auto values = link->starting_values(); &m == &first && !model_)
      start = copy_of(values);
  });
  if (!model_ && !interrupted())
    model_ = std::make_shared<given_model>("trainer", layout_.averaged, std::move(start));
}

void trainer_group::check_layout(const member& of) {
  const auto different = first_difference(layout_.arrays, of.link.load()->layout().arrays);
  if (different.empty())
    return;
  const auto why = "the trainers do not fit each other, worker " + std::to_string(members_.front()->worker) +
                   " here and worker " + std::to_string(of.worker) + " there: " + different;
  for (const auto& each : members_)
    each->link.load()->refuse(why);
  throw input_error{input_fault::configuration, why, "", "give all the same model"};
}

trainer_group::member* trainer_group::member_of(std::size_t worker) const {
  const auto found = std::ranges::lower_bound(members_, worker, {}, [](const auto& m) { return m->worker; });
  return found != members_.end() && (*found)->worker == worker ? found->get() : nullptr;
}

/// Null: its trainer is elsewhere, or has not said hello.
std::shared_ptr<trainer_link> trainer_group::link_of(std::size_t worker) const {
  const auto* found = member_of(worker);
  return found != nullptr ? found->link.load() : nullptr;
}

std::unique_ptr<local_learner> trainer_group::learner_of(worker_id id) {
  return std::make_unique<process_learner>(shared_from_this(), id);
}

/// Another process for a worker whose trainer has failed; null: it has had all that it may have.
std::shared_ptr<trainer_link> trainer_group::restarted(worker_id id, const std::string& why) {
  const turn mine{free_};
  const occupation starting{occupied_};
  auto& m = *member_of(index_of(id));
  while (!over_ && m.restarts < options_.restarts) {
    ++m.restarts;
    spdlog::warn("{}; it is started again ({} of {})", says(m.worker, why), m.restarts, options_.restarts);
    try {
      if (m.process)
        m.process->kill_all();
      launch(m);
      std::array<member*, 1> awaited{&m};
      accept_all(awaited);
      if (interrupted() || !m.link.load())
        return nullptr;
      const auto link = m.link.load();
      link->prepare([&](std::uint64_t samples, std::span<const std::int32_t> labels) {
        return deal_rows(samples, labels, options_.workers, options_.partition, options_.seed, m.worker);
      });
      if (const auto different = first_difference(layout_.arrays, link->layout().arrays); !different.empty())
        throw learner_failed{"it has become another: " + different};
      link->share();
      link->starting_values(); // the worker has its own
      return link;
    } catch (const std::runtime_error& e) {
      spdlog::warn("{}", says(m.worker, e.what()));
    }
  }
  return nullptr;
}

std::vector<named_score> trainer_group::scores_of(std::span<const float> parameters,
                                                  std::optional<std::size_t> worker) {
  if (no_scores_)
    return {};
  const occupation scoring{occupied_};
  if (worker && member_of(*worker) != nullptr) {
    const auto link = link_of(*worker);
    return link ? link->evaluate(parameters, options_.interrupted).value_or(std::vector<named_score>{})
                : std::vector<named_score>{};
  }
  for (const auto& m : members_) {
    const auto link = m->link.load();
    if (!link || link->has_failed())
      continue;
    if (auto scores = link->evaluate(parameters, options_.interrupted))
      return *scores;
    no_scores_ = link->has_failed_evaluating(); // what it failed in would end the others likewise
    if (no_scores_)
      break;
  }
  return {};
}

std::vector<char> trainer_group::save(worker_id id) {
  const auto link = link_of(index_of(id));
  return link ? link->save_soon() : std::vector<char>{};
}

void trainer_group::load(worker_id id, std::span<const char> saved) {
  try {
    if (!saved.empty())
      link_of(index_of(id))->load(saved, [this] { return interrupted(); });
  } catch (const learner_failed& e) {
    throw learner_failed{says(static_cast<std::uint32_t>(id), e.what())};
  }
}

bool trainer_group::begin_run() {
  if (!std::exchange(fresh_, false)) {
    end();
    start();
  }
  if (!interrupted())
    return true;
  end();
  return false;
}

void trainer_group::end() {
  over_ = true;
  for (const auto& m : members_) // one that is being started again must not be waited for
    if (const auto link = m->link.load(); link && !link->is_ready())
      link->abort();
  const turn mine{free_};
  auto greeted = true;
  for (const auto& m : members_) {
    greeted = greeted && m->link.load();
    if (m->link.load())
      m->link.load()->say_bye("the run is over");
  }
  const auto all_end_within = [&](std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    return std::ranges::all_of(members_, [&](const auto& m) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      return !m->process || m->process->ends_within(std::max(left, std::chrono::milliseconds{0}));
    });
  };
  if (!greeted || !all_end_within(bye_patience)) {
    for (const auto& m : members_)
      if (m->process)
        m->process->terminate();
    all_end_within(terminate_patience);
  }
  for (const auto& m : members_) {
    if (m->process)
      m->process->kill_all();
    if (m->link.load())
      m->link.load()->abort();
  }
  entrance_.reset(); // whatever ends the program now leaves no names behind
  place_.reset();
}

} // namespace dybw
