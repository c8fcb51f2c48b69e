#include "binding/executor.h"

#include "torch.h"

namespace ldlm::binding {

namespace {
std::atomic<int> cpu_threads = 0;  // 0: libtorch's own choice, the physical cores
}

void set_cpu_threads(int threads) { cpu_threads = threads; }

Executor::Executor(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "ldlm executor");
  const napi_status made = napi_create_threadsafe_function(env, nullptr, nullptr, name, /*max_queue_size=*/0, /*initial_thread_count=*/1,
                                                           nullptr, nullptr, /*context=*/this, &Executor::drain, &wake_);
  if (made != napi_ok) throw Napi::Error::New(env, "the executor could not be created");
  napi_unref_threadsafe_function(env_, wake_);
  worker_ = std::thread([this] { run(); });
}

Executor::~Executor() { stop(); }

void Executor::submit(Work work) {
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(work));
  }
  queue_changed_.notify_one();
}

void Executor::finish() {
  if (--pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
}

void Executor::post(Message message) {
  const std::lock_guard lock(mailbox_mutex_);
  mailbox_.push_back(std::move(message));  // kept even if nobody will run it: ~Executor frees it on the JavaScript thread
  if (closed_) return;
  if (napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking) == napi_closing) closed_ = true;
}

void Executor::run() {
  // Averages that decay towards 0 end in denormal numbers, on which some CPUs compute many times slower: flushed to 0. The threads of
  // OpenMP begin with the setting of this one.
  at::globalContext().setFlushDenormal(true);
  int applied = 0;
  while (true) {
    Work work;
    {
      std::unique_lock lock(queue_mutex_);
      queue_changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    if (const int wanted = cpu_threads; wanted > 0 && wanted != applied) {
      at::set_num_threads(wanted);
      applied = wanted;
    }
    work();
    // What a job has captured may belong to JavaScript (a callback): it is let go of there.
    post([done = std::make_shared<Work>(std::move(work))](Napi::Env) {});
  }
}

void Executor::stop() {
  stopping_ = true;
  {
    const std::lock_guard lock(mailbox_mutex_);
    closed_ = true;  // the environment may free the thread-safe function from here on
  }
  {
    const std::lock_guard lock(queue_mutex_);
  }
  queue_changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

void Executor::drain(napi_env raw_env, napi_value, void* context, void*) {
  if (raw_env == nullptr) return;  // the environment is being torn down
  auto& self = *static_cast<Executor*>(context);
  while (true) {
    Message message;
    {
      const std::lock_guard lock(self.mailbox_mutex_);
      if (self.closed_ || self.mailbox_.empty()) return;
      message = std::move(self.mailbox_.front());
      self.mailbox_.pop_front();
    }
    const Napi::Env env(raw_env);
    const Napi::HandleScope scope(env);
    try {
      message(env);
    } catch (...) {
      // JavaScript cannot run while a worker is being terminated, and a preview that does not fit into memory is not shown: nobody is left to
      // tell, and nothing may leave a callback.
    }
  }
}

}  // namespace ldlm::binding
