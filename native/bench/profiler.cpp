#include "bench/profiler.h"

#include <ATen/SequenceNumber.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "bench/op_flops.h"
#include "bench/stopwatch.h"

namespace ldlm {

namespace {

using Clock = std::chrono::steady_clock;

struct Key {
  std::string module, op;
  bool backward;
  auto operator<=>(const Key&) const = default;
};
struct Sum {
  int64_t calls = 0;
  double self_ms = 0, cpu_ms = 0, flops = 0;
};

struct Frame {
  std::string module;
  bool backward;
  Clock::time_point start;
  double cpu_start, inner_ms, inner_cpu_ms;
  uint64_t first_sequence;
  bool is_module;
  double flops;  // the inputs are there only when an op begins
};
struct ThreadProfile {
  std::vector<Frame> open;
  std::map<Key, Sum> sums;
};

// Callbacks are plain functions, so what they share has to be global.
struct Profile {
  std::mutex mutex;
  std::vector<std::shared_ptr<ThreadProfile>> threads;
  // The module of every autograd node, by the thread and sequence number of its forward pass.
  std::unordered_map<uint64_t, std::string> module_of_node;
  uint64_t run = 0;
  at::CallbackHandle handle = 0;
};
Profile profile;

ThreadProfile& of_this_thread() {
  thread_local std::shared_ptr<ThreadProfile> mine;
  thread_local uint64_t run = 0;
  if (!mine || run != profile.run) {
    mine = std::make_shared<ThreadProfile>();
    run = profile.run;
    const std::lock_guard lock(profile.mutex);
    profile.threads.push_back(mine);
  }
  return *mine;
}

uint64_t node_id(uint64_t thread, uint64_t sequence) { return thread << 48 ^ sequence; }

std::string module_of_backward(const at::RecordFunction& function) {
  const std::lock_guard lock(profile.mutex);
  const auto found = profile.module_of_node.find(node_id(function.forwardThreadId(), static_cast<uint64_t>(function.seqNr())));
  return found == profile.module_of_node.end() ? "" : found->second;
}

std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& function) {
  ThreadProfile& mine = of_this_thread();
  Frame frame = {"", false, {}, 0, 0, 0, 0, function.scope() == at::RecordScope::USER_SCOPE, 0};
  if (!mine.open.empty()) {
    frame.module = mine.open.back().module;
    frame.backward = mine.open.back().backward;
  }
  if (frame.is_module) {
    const std::string name = function.name();
    if (!frame.module.ends_with(name)) frame.module += (frame.module.empty() ? "" : "/") + name;
    frame.first_sequence = at::sequence_number::peek();
  } else if (function.scope() == at::RecordScope::BACKWARD_FUNCTION) {
    frame.module = module_of_backward(function);
    frame.backward = true;
  }
  if (!frame.is_module) frame.flops = op_flops(function.name(), function.inputs());
  frame.cpu_start = cpu_milliseconds(CLOCK_THREAD_CPUTIME_ID);
  frame.start = Clock::now();
  mine.open.push_back(std::move(frame));
  return nullptr;
}

void leave(const at::RecordFunction& function, at::ObserverContext*) {
  const Clock::time_point end = Clock::now();
  const double cpu_end = cpu_milliseconds(CLOCK_THREAD_CPUTIME_ID);
  ThreadProfile& mine = of_this_thread();
  if (mine.open.empty()) return;  // entered before start_profile()
  const Frame frame = std::move(mine.open.back());
  mine.open.pop_back();
  const double ms = std::chrono::duration<double, std::milli>(end - frame.start).count(), cpu_ms = cpu_end - frame.cpu_start;
  if (!mine.open.empty()) {
    mine.open.back().inner_ms += ms;
    mine.open.back().inner_cpu_ms += cpu_ms;
  }
  Sum& sum = mine.sums[{frame.module, frame.is_module ? "" : function.name(), frame.backward}];
  ++sum.calls;
  sum.self_ms += ms - frame.inner_ms;
  sum.cpu_ms += cpu_ms - frame.inner_cpu_ms;
  sum.flops += frame.flops;
  if (frame.is_module) {
    const std::lock_guard lock(profile.mutex);
    const uint64_t thread = at::RecordFunction::currentThreadId();
    // A module inside has named its nodes already, and emplace leaves them.
    for (uint64_t i = frame.first_sequence; i < at::sequence_number::peek(); ++i) profile.module_of_node.emplace(node_id(thread, i), frame.module);
  }
}

}  // namespace

void start_profile() {
  {
    const std::lock_guard lock(profile.mutex);
    profile.threads.clear();
    profile.module_of_node.clear();
    ++profile.run;
  }
  if (profile.handle != 0) return;
  profile.handle = at::addGlobalCallback(
      at::RecordFunctionCallback(enter, leave)
          .needsInputs(true)
          .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION, at::RecordScope::USER_SCOPE}));
}

std::vector<ProfileEntry> stop_profile() {
  if (profile.handle != 0) at::removeCallback(profile.handle);
  profile.handle = 0;
  std::map<Key, Sum> total;
  for (const auto& thread : profile.threads) {
    for (const auto& [key, sum] : thread->sums) {
      Sum& all = total[key];
      all.calls += sum.calls;
      all.self_ms += sum.self_ms;
      all.cpu_ms += sum.cpu_ms;
      all.flops += sum.flops;
    }
  }
  std::vector<ProfileEntry> entries;
  for (const auto& [key, sum] : total) entries.push_back({key.module, key.op, key.backward, sum.calls, sum.self_ms, sum.cpu_ms, sum.flops});
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.self_ms > b.self_ms; });
  return entries;
}

}  // namespace ldlm
