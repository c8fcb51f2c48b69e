// Where the time goes, by module and op: libtorch's RecordFunction callbacks, and RecordedOp and RecordedModule for what is ours. Times
// are those of the threads added up (two parts of a batch that run at once count twice), so shares are what to look at. Listening costs
// about a microsecond an op; nothing is listened to outside of start_profile() ... stop_profile().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ldlm {

struct ProfileEntry {
  std::string module;  // names of RecordedModule from the outside in, "dit" or "self_condition/dit"; "" outside of all
  std::string op;      // libtorch's or ours; "" is what no op accounts for
  bool backward;
  int64_t calls;
  double self_ms;  // without the ops called inside
  double cpu_ms;   // of these, what the calling thread computed: an op that uses other threads too counts for one
  double flops;    // of matrix products and attention; 0 for other ops
};

// Process-wide, all threads. No op may be running.
void start_profile();
// Ends the listening; largest first.
std::vector<ProfileEntry> stop_profile();

}  // namespace ldlm
