// Times of repeated work, with the device waited for.
#pragma once

#include <time.h>

#include <chrono>
#include <functional>

#include "torch.h"

namespace ldlm {

// Waits for what the device has queued.
inline void synchronize(const at::Device& device) {
  if (!device.is_cpu()) at::zeros({1}, at::TensorOptions(device)).cpu();  // sync: a time is taken
}

// Milliseconds of one call.
inline double milliseconds(const at::Device& device, const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  synchronize(device);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// CPU time of a clock so far, ms: CLOCK_PROCESS_CPUTIME_ID adds all threads up, CLOCK_THREAD_CPUTIME_ID is of the caller. On a machine
// that others use too it says more than the time on the wall.
inline double cpu_milliseconds(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace ldlm
