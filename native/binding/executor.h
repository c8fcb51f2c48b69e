// One thread that runs all tensor work of an environment, in the order of submission. libtorch's grad mode, current device and
// stream are thread-local, so work must not hop over libuv's pool. Results return to JavaScript through a mailbox.
//
// The rules behind the details (docs/architecture.md, "Living inside Node"): the worker never blocks on JavaScript; after the
// environment closes its thread-safe function is not touched again; stop() joins the worker before libtorch's destructors run.
#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace ldlm::binding {

class Executor {
 public:
  using Work = std::function<void()>;             // on the executor thread; must not throw
  using Message = std::function<void(Napi::Env)>;  // on the JavaScript thread

  explicit Executor(Napi::Env env);
  ~Executor();

  // Queues `work`. The process stays alive until finish() was called for it from a message.
  void submit(Work work);
  // From any thread: runs `message` on the JavaScript thread soon, or never if the environment is closing.
  void post(Message message);
  // JavaScript thread: one submitted job is settled.
  void finish();

  // Drops queued work, lets running work end (long work asks stopping()), joins. Idempotent.
  void stop();
  bool stopping() const { return stopping_; }

 private:
  void run();
  static void drain(napi_env env, napi_value callback, void* context, void* data);

  napi_threadsafe_function wake_ = nullptr;
  napi_env env_;
  int64_t pending_ = 0;  // JavaScript thread only

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<Work> queue_;
  std::atomic<bool> stopping_ = false;

  std::mutex mailbox_mutex_;
  std::deque<Message> mailbox_;
  bool closed_ = false;  // under mailbox_mutex_

  std::thread worker_;
};

// Thread policy of the CPU: how many cores tensor work may use, of this process.
void set_cpu_threads(int threads);

}  // namespace ldlm::binding
