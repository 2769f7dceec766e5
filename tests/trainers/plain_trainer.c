// A trainer in plain C, from docs/trainer-protocol.md and its header alone: least squares on the signs of a
// hidden plane, by momentum. Its command line lets it misbehave, for tests. It handles no signal, so that no
// call is interrupted.
#define _DEFAULT_SOURCE
#include "messages/trainer_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { features_max = 16, batch = 32, tests = 500, row_count = 100, classes = 10 };

// What goes wrong; of worker `only_worker`, if that is not -1. Steps count from 1 in this process, 0: never.
struct faults {
  long raise_at, die_at, hang_at, infinite_at, infinite_from, protocol;
  long wide, exit_at_start, hang_at_start, refuse_evaluate;
  const char *hang_for, *name, *type, *frozen;
};
static const struct faults none = {
    .protocol = DYBW_PROTOCOL, .hang_for = "3600", .name = "w", .type = "float32"};
static struct faults asked_for, faults;
static long only_worker = -1;

// With `values` it learns nothing, of that many parameters: the boundary alone.
static long values, wants_rows, loss_only;

static int line; // the socket
static uint64_t seed;
static size_t features, count; // count: of all parameters
static unsigned char* memory;
static uint64_t stride;
static uint32_t slots;

// What is not averaged and goes on after a load: where the samples are, and the momentum.
static uint64_t position;
static double momentum[features_max + 1];

static _Noreturn void give_up(const char* what, const char* detail) {
  fprintf(stderr, "plain_trainer: %s%s\n", what, detail);
  exit(1);
}

// --- Messages ---

struct buffer {
  unsigned char* bytes;
  size_t size, room;
};
static struct buffer out, in; // bodies: as far as it is written, as it came
static size_t taken;          // of `in`
static int descriptor = -1;   // that came

static unsigned char* append(struct buffer* to, size_t size) {
  if (size >= to->room - to->size) {
    to->room = 2 * to->room + size + 64;
    to->bytes = realloc(to->bytes, to->room);
    if (!to->bytes)
      give_up("no memory", "");
  }
  to->size += size;
  return to->bytes + to->size - size;
}

static void put_u8(unsigned char x) { *append(&out, 1) = x; }
static void put_u32(uint32_t x) { dybw_put_u32(append(&out, 4), x); }
static void put_i32(int32_t x) { dybw_put_i32(append(&out, 4), x); }
static void put_u64(uint64_t x) { dybw_put_u64(append(&out, 8), x); }
static void put_f64(double x) { dybw_put_f64(append(&out, 8), x); }
static void put_text(const char* text) {
  put_u32((uint32_t)strlen(text));
  memcpy(append(&out, strlen(text)), text, strlen(text));
}

static void send_all(const unsigned char* at, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(line, at, size, MSG_NOSIGNAL);
    if (sent < 0)
      return; // dybw has closed; whether with `bye` is still there to be read
    at += sent;
    size -= (size_t)sent;
  }
}

static void say(uint16_t type) {
  unsigned char head[DYBW_HEAD_SIZE];
  dybw_put_head(head, (uint32_t)out.size, type);
  send_all(head, sizeof head);
  send_all(out.bytes, out.size);
  out.size = 0;
}

static _Noreturn void fail(const char* kind, const char* text, const char* place) {
  put_text(kind);
  put_text(text);
  put_text(place);
  put_text(""); // no trace
  say(DYBW_FAILED);
  exit(1);
}

static void receive(unsigned char* to, size_t size) {
  while (size > 0) {
    union { struct cmsghdr aligned; char bytes[CMSG_SPACE(sizeof descriptor)]; } rights;
    struct iovec piece = {to, size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &rights,
                             .msg_controllen = sizeof rights};
    const ssize_t got = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0)
      exit(1); // dybw is gone
    const struct cmsghdr* came = CMSG_FIRSTHDR(&message);
    if (came && came->cmsg_level == SOL_SOCKET && came->cmsg_type == SCM_RIGHTS)
      memcpy(&descriptor, CMSG_DATA(came), sizeof descriptor);
    to += got;
    size -= (size_t)got;
  }
}

static const unsigned char* take(size_t size) {
  if (size > in.size - taken)
    give_up("a message of dybw is too short", "");
  taken += size;
  return in.bytes + taken - size;
}

static uint32_t take_u32(void) { return dybw_get_u32(take(4)); }
static uint64_t take_u64(void) { return dybw_get_u64(take(8)); }
static const char* take_text(void) { // its beginning, until the next
  static char text[1024];
  const uint32_t size = take_u32();
  snprintf(text, sizeof text, "%.*s", (int)size, (const char*)take(size));
  return text;
}

static void take_end(void) {
  if (taken != in.size)
    give_up("a message of dybw is too long", "");
}

static uint16_t hear(void) {
  unsigned char head[DYBW_HEAD_SIZE];
  receive(head, sizeof head);
  const uint32_t size = dybw_get_u32(head);
  const uint16_t type = dybw_get_u16(head + 4);
  if (size > dybw_body_max(type) || dybw_get_u16(head + 6) != 0)
    give_up("dybw says what nobody knows", "");
  in.size = taken = 0;
  receive(append(&in, size), size);
  if (type == DYBW_REFUSED)
    give_up("refused: ", take_text());
  if (type == DYBW_BYE)
    exit(0);
  return type;
}

static void hear_answer(uint16_t type) {
  if (hear() != type)
    give_up("dybw answers with another message than is due", "");
}

// --- Samples ---

static uint64_t draw(uint64_t* state) { // splitmix64
  uint64_t z = *state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

static uint64_t stream(uint64_t number) { // where the draws of this run with that number begin
  uint64_t state = seed;
  state = draw(&state) ^ number;
  return draw(&state);
}

static double draw_normal(uint64_t* state) { // nearly; variance 1, without libm
  double sum = -2;
  for (int i = 0; i < 4; ++i)
    sum += (double)(draw(state) >> 11) * 0x1p-53;
  return sum * 1.7320508075688772;
}

static double draw_sample(uint64_t* state, double* x) { // what to learn, 1 or -1, of the x that it writes
  uint64_t plane = stream(0);                           // of all workers
  double at = 0.3 * draw_normal(state);
  for (size_t i = 0; i <= features; ++i) {
    x[i] = i < features ? draw_normal(state) : 1; // 1: for b
    at += draw_normal(&plane) * x[i];
  }
  return at > 0 ? 1 : -1;
}

static double predict(const float* w, const double* x) {
  double sum = 0;
  for (size_t i = 0; i <= features; ++i)
    sum += (double)w[i] * x[i];
  return sum;
}

// --- What it is asked for ---

static float* slot(uint32_t number) {
  if (number >= slots)
    give_up("dybw names a slot that there is not", "");
  return (float*)(void*)(memory + number * stride);
}

static double learn(const float* w, float* next) {
  const double rate = 0.02, ridge = 1e-3;
  double gradient[features_max + 1] = {0}, x[features_max + 1], loss = 0;
  for (int n = 0; n < batch; ++n) {
    const double y = draw_sample(&position, x), off = predict(w, x) - y;
    loss += off * off / 2 / batch;
    for (size_t i = 0; i <= features; ++i)
      gradient[i] += off * x[i] / batch;
  }
  for (size_t i = 0; i <= features; ++i) {
    momentum[i] = 0.9 * momentum[i] + gradient[i] + ridge * (double)w[i];
    next[i] = (float)((double)w[i] - rate * momentum[i]);
  }
  return loss;
}

static void misbehave(long number) {
  char text[64];
  snprintf(text, sizeof text, "step %ld was to fail", number);
  if (number == faults.raise_at)
    fail("AskedFor", text, "plain_trainer.c:step");
  if (number == faults.die_at)
    raise(SIGKILL);
  if (number == faults.hang_at) {
    const double seconds = strtod(faults.hang_for, NULL), whole = (double)(time_t)seconds;
    nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - whole) * 1e9)}, NULL);
  }
}

static void step(void) {
  static long number;
  const uint64_t ticket = take_u64();
  take_u64(); // rounds completed
  const float* w = slot(take_u32());
  float* next = slot(take_u32());
  take_end();
  misbehave(++number);
  double loss = 0;
  if (values)
    memcpy(next, w, count * sizeof *w);
  else
    loss = learn(w, next);
  if (number == faults.infinite_at || (faults.infinite_from && number >= faults.infinite_from))
    next[count - 1] = (float)INFINITY; // in the last array
  put_u64(ticket);
  put_f64(loss);
  put_u64(values ? 1 : batch);
  say(DYBW_DONE);
}

static void evaluate(void) {
  const float* w = slot(take_u32());
  take_end();
  uint64_t state = stream(1); // always the same samples
  double x[features_max + 1], loss = 0, right = 0;
  for (int n = 0; n < tests && !values; ++n) {
    const double y = draw_sample(&state, x), off = predict(w, x) - y;
    loss += off * off / 2 / tests;
    right += off * y > -1; // of the same sign as y
  }
  put_u32(loss_only ? 1 : 2);
  put_text("loss");
  put_f64(loss);
  put_u8(DYBW_SMALLER_IS_BETTER);
  if (!loss_only) {
    put_text("accuracy");
    put_f64(right / tests);
    put_u8(DYBW_LARGER_IS_BETTER);
  }
  say(DYBW_SCORE);
}

static void save(void) {
  take_end();
  put_u64(position);
  for (size_t i = 0; i <= features; ++i)
    put_f64(momentum[i]);
  say(DYBW_SAVED);
}

static void load(void) {
  if (in.size != 8 * (features + 2))
    fail("LoadError", "the state is that of another model", "plain_trainer.c:load");
  position = take_u64();
  for (size_t i = 0; i <= features; ++i)
    momentum[i] = dybw_get_f64(take(8));
  printf("goes on from a state\n");
  fflush(stdout);
  say(DYBW_LOADED);
}

// --- The beginning ---

static void read_arguments(int argc, char** argv) {
  const struct { const char* name; long* flag; long* number; const char** text; } options[] = {
      {"--values", 0, &values, 0}, {"--rows", &wants_rows, 0, 0}, {"--loss-only", &loss_only, 0, 0},
      {"--only-worker", 0, &only_worker, 0}, {"--raise-at", 0, &asked_for.raise_at, 0},
      {"--die-at", 0, &asked_for.die_at, 0}, {"--hang-at", 0, &asked_for.hang_at, 0},
      {"--hang-for", 0, 0, &asked_for.hang_for}, {"--infinite-at", 0, &asked_for.infinite_at, 0},
      {"--infinite-from", 0, &asked_for.infinite_from, 0}, {"--protocol", 0, &asked_for.protocol, 0},
      {"--wide", &asked_for.wide, 0, 0}, {"--exit-at-start", &asked_for.exit_at_start, 0, 0},
      {"--hang-at-start", &asked_for.hang_at_start, 0, 0},
      {"--refuse-evaluate", &asked_for.refuse_evaluate, 0, 0}, {"--name", 0, 0, &asked_for.name},
      {"--type", 0, 0, &asked_for.type}, {"--frozen", 0, 0, &asked_for.frozen}, {0, 0, 0, 0}};
  asked_for = none;
  for (int i = 1; i < argc; ++i) {
    size_t o = 0;
    while (options[o].name && strcmp(options[o].name, argv[i]) != 0)
      ++o;
    char* rest = "";
    if (!options[o].name || (!options[o].flag && i + 1 == argc))
      give_up("cannot use ", argv[i]);
    if (options[o].flag)
      *options[o].flag = 1;
    else if (options[o].text)
      *options[o].text = argv[++i];
    else
      *options[o].number = strtol(argv[++i], &rest, 10);
    if (*rest != '\0')
      give_up("cannot use ", argv[i]);
  }
}

static void choose_faults(long worker) {
  faults = only_worker < 0 || only_worker == worker ? asked_for : none;
  if (faults.exit_at_start)
    give_up("was to end at its start", "");
}

static void connect_to(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!path || strlen(path) >= sizeof address.sun_path)
    give_up("needs the path of a socket in ", DYBW_ENV_SOCKET);
  strcpy(address.sun_path, path);
  line = socket(AF_UNIX, SOCK_STREAM, 0);
  if (line < 0 || fcntl(line, F_SETFD, FD_CLOEXEC) != 0 ||
      connect(line, (const struct sockaddr*)&address, sizeof address) != 0)
    give_up("nobody listens at ", path);
  unsetenv(DYBW_ENV_SOCKET); // both are for this process alone
  unsetenv(DYBW_ENV_WORKER);
}

static void join(long worker) {
  put_u32(DYBW_MAGIC);
  put_u32((uint32_t)faults.protocol);
  put_i32((int32_t)worker);
  put_u32((uint32_t)getpid());
  put_text("plain_trainer 1");
  say(DYBW_HELLO);
  hear_answer(DYBW_PLACE);
  take_u32(); // the protocol: ours, or it would have refused
  const uint32_t place = take_u32();
  take_u32(); // workers
  seed = take_u64();
  take_text(); // version
  take_text(); // data
  take_end();
  position = stream(2 + (uint64_t)place);
  choose_faults((long)place);
}

static void ask_for_rows(void) {
  put_u64(row_count);
  put_u32(1);
  for (int32_t i = 0; i < row_count; ++i)
    put_i32(i % classes);
  say(DYBW_ROWS_WANTED);
  hear_answer(DYBW_ROWS);
  const uint64_t rows = take_u64();
  uint64_t sum = 0;
  for (uint64_t i = 0; i < rows; ++i)
    sum += take_u32();
  take_end();
  printf("rows %llu sum %llu\n", (unsigned long long)rows, (unsigned long long)sum);
  fflush(stdout);
}

static void put_array(const char* name, const char* type, uint8_t class, uint32_t crc, uint64_t extent) {
  put_text(name);
  put_text(type);
  put_u8(class);
  put_u32(crc);
  put_u32(1); // dimension
  put_u64(extent);
}

static void say_layout(void) {
  features = faults.wide ? features_max : features_max / 2;
  count = values ? (size_t)values + (faults.wide ? 1U : 0U) : features + 1;
  put_u32((faults.refuse_evaluate ? 0U : DYBW_EVALUATES) | DYBW_SAVES);
  put_u32((values ? 1U : 2U) + (faults.frozen ? 1U : 0U));
  put_array(faults.name, faults.type, DYBW_AVERAGED, 0, values ? count : features);
  if (!values)
    put_array("b", "float32", DYBW_AVERAGED, 0, 1);
  if (faults.frozen) {
    const size_t size = strlen(faults.frozen);
    put_array("frozen", "uint8", DYBW_FROZEN, dybw_crc32(0, (const unsigned char*)faults.frozen, size), size);
  }
  say(DYBW_LAYOUT);
}

static void map_slots(void) {
  hear_answer(DYBW_SLOTS);
  const uint64_t size = take_u64();
  stride = take_u64();
  slots = take_u32();
  const uint32_t first = take_u32();
  take_end();
  if (slots == 0 || stride > size / slots || count > stride / sizeof(float))
    give_up("the slots of dybw do not fit", "");
  memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED)
    give_up("cannot map the slots: ", strerror(errno));
  close(descriptor);
  if (faults.hang_at_start)
    pause();
  float* start = slot(first);
  for (size_t i = 0; i < count; ++i) // other values in each worker: dybw chooses whose are taken
    start[i] = values ? 0 : (float)(0.1 * draw_normal(&position));
  put_text("cpu");
  say(DYBW_READY);
}

int main(int argc, char** argv) {
  read_arguments(argc, argv);
  const char* number = getenv(DYBW_ENV_WORKER);
  const long worker = number ? strtol(number, NULL, 10) : -1;
  choose_faults(worker);
  connect_to(getenv(DYBW_ENV_SOCKET));
  join(worker);
  if (wants_rows)
    ask_for_rows();
  say_layout();
  for (map_slots();;)
    switch (hear()) {
    case DYBW_STEP: step(); break;
    case DYBW_EVALUATE: evaluate(); break;
    case DYBW_SAVE: save(); break;
    case DYBW_LOAD: load(); break;
    default: give_up("dybw asks for what nobody knows", "");
    }
}
