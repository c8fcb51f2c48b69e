// How JavaScript tells a job in flight that its result is wanted no more.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>

namespace ldlm::binding {

// The flags of an object's running jobs, by the token that JavaScript knows each by. For the JavaScript thread; a flag is for any.
class AbortFlags {
 public:
  using Flag = std::shared_ptr<std::atomic<bool>>;

  // The flag of a new job. The job owns it: a flag that is gone belongs to a job that has ended.
  Flag add(int64_t token) {
    std::erase_if(flags_, [](const auto& entry) { return entry.second.expired(); });
    auto flag = std::make_shared<std::atomic<bool>>(false);
    flags_[token] = flag;
    return flag;
  }

  // Nothing happens if no such job runs (any more).
  void raise(int64_t token) {
    const auto found = flags_.find(token);
    if (found == flags_.end()) return;
    if (const Flag flag = found->second.lock()) *flag = true;
  }

 private:
  std::map<int64_t, std::weak_ptr<std::atomic<bool>>> flags_;
};

}  // namespace ldlm::binding
