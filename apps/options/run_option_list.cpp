#include "apps/options/run_option_list.hpp"

#include "apps/options/http_options.hpp"
#include "apps/options/node_options.hpp"
#include "apps/options/option_group.hpp"
#include "apps/options/option_values.hpp"
#include "learning/base/number_text.hpp"
#include "learning/run/run_config.hpp"

namespace po = boost::program_options;

namespace dybw {

namespace {

po::options_description data_group() {
  const run_config standard;
  auto list = option_group("Data");
  list.add_options()("dataset", text_value("NAME", standard.data.name),
                     "what to train on: digits (built in, needs no files), mnist, cifar10, csv or libsvm")(
      "data", text_value("PATH"), "directory of the mnist or cifar10 files, or the csv or libsvm file")(
      "label", text_value("NAME|NUMBER"),
      "csv: the label's column, by its name or counted from 1; default: the one called label, class or the "
      "like, "
      "else the last")("test-share", text_value("SHARE", number_text(standard.data.test_share)),
                       "csv, libsvm: share of the rows held out for testing")(
      "scaling", text_value("unit|standard", "unit"),
      "features in [0,1], or with mean 0 and deviation 1: each channel of images, else each feature")(
      "augment", text_value("none|mirror", "none"),
      "mirror: half of the training images, drawn anew in each epoch, left and right exchanged")(
      "partition", text_value("HOW", standard.partition_text),
      "how the training samples are dealt to the workers: iid (at random), shards:S (sorted by label, S runs "
      "to each worker), dirichlet:A (uneven classes, uneven sizes; the smaller A, the more uneven) or "
      "dirichlet-equal:A (a mix of classes drawn for each worker, equal sizes)");
  return list;
}

po::options_description graph_group() {
  const run_config standard;
  auto list = option_group("Workers and graph");
  list.add_options()("workers", text_value("N", std::to_string(standard.workers)), "how many workers train")(
      "topology", text_value("SHAPE", standard.topology),
      "who exchanges with whom: ring, path, star, complete, torus:RxC, circulant:O1,O2,.., random:DEGREE or "
      "file:PATH (one edge per line: two worker numbers from 0)")(
      "connect", text_value("HOW", standard.connect),
      "dtur: the edges that are all used in turn, so that nobody is left out for long: tree, path or "
      "file:PATH; or any, whichever come first until they join everybody");
  return list;
}

po::options_description policy_group() {
  auto list = option_group("Policy");
  list.add_options()(
      "policy", text_value("P[,P..]", "dtur"),
      "how many neighbours a worker waits for: full (all), static:B (all but B), dtur (tuned in every "
      "round), hop:B:GAP (all but B, nobody more than GAP rounds behind) or barrier (everybody everywhere); "
      "or in pairs, without shared rounds: adpsgd (one at random) or adaptive (all, waiting for none); "
      "several are run one after the other and compared")(
      "on-miss", text_value("RULE", "carry"),
      "dtur, for a step unfinished when its round closes: carry (finish it, join a later round) or discard "
      "(drop it)")("weights", text_value("RULE"),
                   "how much a neighbour counts in the average, by degrees: active (those of the round; "
                   "default for dtur) or graph (those of the graph; default for the others)")(
      "exchange", text_value("on|off", "on"),
      "off: workers do not exchange; only to measure what that costs");
  return list;
}

po::options_description stopping_group() {
  auto list = option_group("Stopping (whichever comes first; with none of them after 30 seconds)");
  list.add_options()("rounds", text_value("K"), "after this many rounds; in pairs, steps of each worker")(
      "time-limit", text_value("S"), "after this many seconds")(
      "target-accuracy", text_value("A"),
      "when the average model classifies this share of the test set correctly, 0 to 1")(
      "target", text_value("NAME=VALUE"),
      "with --trainer: when this score of the average model is as good; the trainer says whether more or "
      "less is "
      "better");
  return list;
}

po::options_description learning_group() {
  const run_config standard;
  auto list = option_group("Learning");
  list.add_options()(
      "model", text_value("MODEL", standard.model),
      "softmax (logistic regression), mlp:H1,H2,.. (hidden layers of these sizes), cnn:LAYERS (of "
      "images; FxK: F filters of K x K pixels, FxK+P: with P pixels of padding, poolN: largest of "
      "N x N, H: hidden layer; as in cnn:16x5,pool2,32x5,pool2,64) or none (no learning, to "
      "measure the exchange alone)")(
      "trainer", text_value("COMMAND"),
      "a model of your own: the workers' gradient steps are taken by processes, one each, that this command "
      "starts, for example \"python3 train.py\" (see docs/bring-your-own-model.md); --data is passed on to "
      "them. With --nodes: the name by which the nodes offer one")(
      "trainer-restart", text_value("N", "0"),
      "how often a trainer that fails is started again, for each worker")(
      "attach", text_value("SOCKET"),
      "instead of --trainer: wait for processes that you start yourself, in a notebook, a debugger or a "
      "scheduler, with DYBW_TRAINER=SOCKET in their environment")(
      "batch", text_value("B", std::to_string(standard.batch)), "samples per gradient step of a worker")(
      "step-size", text_value("E", number_text(standard.sgd.step_size)), "learning rate")(
      "step-decay", text_value("D", number_text(standard.sgd.step_decay)),
      "multiplies the step size after each pass over all training data, counted in rounds: the same for all "
      "workers")("momentum", text_value("M", number_text(standard.sgd.momentum)),
                 "share of the last step that is kept")(
      "weight-decay", text_value("L", number_text(standard.sgd.weight_decay)),
      "L2 penalty: pulls the parameters to zero")(
      "local-steps", text_value("H", std::to_string(standard.local_steps)),
      "gradient steps that a worker takes between two exchanges with its neighbours")(
      "local-time", text_value("S"), "instead: it takes such steps for S seconds, the slower fewer of them")(
      "outer-momentum", text_value("B"),
      "share that is kept of how a worker moved from exchange to exchange before; switches the outer step on "
      "(default 0.5 with --outer-step)")(
      "outer-step", text_value("E"),
      "what such a move, with its momentum, counts for; switches the outer step on (default 0.7 with "
      "--outer-momentum)")(
      "correction", text_value("RHO", "0"),
      "for unlike data: this share of how averaging moved a worker is remembered and added to each of its "
      "steps, so that everybody's data counts equally, however slow; 0.01 to 0.05 do well, 0 switches it off "
      "(see docs/methods.md)")(
      "send", text_value("FORMAT", "float32"),
      "how parameters travel between processes, and in virtual time: float32, float16, bfloat16, or int8 (a "
      "quarter of the bytes: the change since what the neighbour has)")(
      "start", text_value("RULE", "same"),
      "the workers' first parameters: same, or random (each its own; only with --step-size 0, to watch them "
      "agree)");
  return list;
}

po::options_description time_group() {
  const run_config standard;
  auto list = option_group("Time and stragglers (times in seconds)");
  list.add_options()("clock", text_value("CLOCK", "real"),
                     "real: workers run and wait in real time; virtual: the same workers in a simulation, as "
                     "quick as the machine allows and the same each time")(
      "step-time", text_value("DIST", "none"),
      "time added to each gradient step (virtual clock: its whole time): none, const:T, exp:MEAN, "
      "shifted-exp:BASE,MEAN, uniform:A,B, "
      "pareto:SCALE,SHAPE, lognormal:MU,SIGMA or trace:FILE (one time per line)")(
      "straggler", text_value("MODEL", standard.straggler),
      "who is slower: none, slow:COUNT:FACTOR (the same COUNT workers throughout), "
      "random:PROBABILITY:FACTOR (each step afresh) or bursts:ON,OFF:FACTOR (for ON, then not for OFF "
      "seconds on average); computed: before it: they compute that much oftener instead of waiting")(
      "round-timeout", text_value("auto|S", "auto"),
      "longest wait for a neighbour's step; auto learns it from the steps seen")(
      "link-latency", text_value("DIST", "none"),
      "virtual clock: how long a message travels; none or as --step-time")(
      "link-bandwidth", text_value("BYTES_PER_S", "none"),
      "virtual clock: what each link carries in each direction; none: any amount at once")(
      "mix-time", text_value("S", "0"),
      "virtual clock: what averaging with one neighbour adds to the step after it")(
      "suspect-after", text_value("S", number_text(standard.suspect_after_s)),
      "a worker without a sign of life for this long counts as gone");
  return list;
}

po::options_description system_group() {
  const run_config standard;
  auto list = option_group("System");
  list.add_options()("threads", text_value("T", std::to_string(standard.threads)),
                     "threads that compute gradients; 0: one per processor")(
      "seed", text_value("S", std::to_string(standard.seed)),
      "of all random choices: data, start, graph, stragglers")(
      "seeds", text_value("S-S[,S..]"),
      "a run for each of these seeds, one after the other, into DIR/seed-S of --out DIR, and a table and a "
      "page of means with 95 % intervals")(
      "config", text_value("FILE"),
      "read options from an INI file, one NAME = VALUE per line; the command line wins");
  return list;
}

po::options_description nodes_group() {
  auto list = option_group("Other machines (each runs dybw node; data is read there)");
  list.add_options()("nodes", text_value("HOST:PORT[,..]"),
                     "spread the workers over these nodes instead of running them here")(
      "nodes-file", text_value("FILE"), "the same from a file: one HOST:PORT per line, # starts a comment")(
      "detach", po::bool_switch(),
      "return as soon as the run has begun; the nodes go on and write the results");
  return list;
}

po::options_description checkpoint_group() {
  auto list = option_group("Going on with a run");
  list.add_options()(
      "checkpoint-every", text_value("S"),
      "keep the state of every worker below --out every S seconds, so that the run can go on later")(
      "resume", text_value("DIR"),
      "go on with the run in DIR from its checkpoints, with its options; limits, --data, --threads and "
      "output "
      "may be others. With --nodes: name of the run below their --out");
  return list;
}

po::options_description output_group() {
  const run_config standard;
  auto list = option_group("Output");
  list.add_options()("out", text_value("DIR"),
                     "write results, models and a report there; default: runs/DATE-SEED for several "
                     "policies, none for one or with --format json")(
      "force", po::bool_switch(), "replace the run that the directory holds")(
      "format", text_value("text|json", "text"),
      "what to print when done; json: one document, with the fields of run.json")(
      "record", po::bool_switch(),
      "write every event of every worker below --out, so that dybw replay can play the run again")(
      "trace", text_value("FILE"),
      "write when each worker computed, waited, mixed and sent, to be opened in Perfetto (ui.perfetto.dev)")(
      "log-max", text_value("MIB", std::to_string(standard.log_bytes_max >> 20U)),
      "most that rounds.jsonl holds before every second of its rounds goes, and events.log and the trace "
      "before they end; 0: no limit")("eval-every", text_value("S", number_text(standard.eval_every_s)),
                                      "seconds between tests of the model")(
      "log-level", text_value("LEVEL", "warn"), "debug, info, warn, error or off; goes to standard error")(
      "quiet", po::bool_switch(), "show no progress")("help", po::bool_switch(), "show this page");
  return list;
}

} // namespace

po::options_description run_option_list() {
  auto all = option_group();
  all.add(data_group()).add(graph_group()).add(policy_group()).add(stopping_group());
  all.add(learning_group()).add(time_group()).add(nodes_group()).add(tls_option_group());
  all.add(system_group()).add(checkpoint_group()).add(output_group());
  all.add(http_option_group());
  return all;
}

} // namespace dybw
