// How other threads reach the API thread while there is one: work posted after close() is dropped.
// Threads: any. A leaf: nothing is called while its mutex is held.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

namespace coldstart {

class Mailbox {
  public:
    explicit Mailbox(boost::asio::io_context& context) : context_(&context) {}

    template <typename Task>
    void post(Task&& task) {
        const std::lock_guard guard(mutex_);
        if (context_ != nullptr)
            boost::asio::post(*context_, std::forward<Task>(task));
    }

    /// The context may be destroyed after this.
    void close() {
        const std::lock_guard guard(mutex_);
        context_ = nullptr;
    }

  private:
    std::mutex mutex_;
    boost::asio::io_context* context_;
};

} // namespace coldstart
