// The `done` that a handler is given: answers one request of one connection, once, from any thread,
// as long as both still exist; answers 500 if nobody did.
#pragma once

#include "api/http/connection.h"
#include "api/http/mailbox.h"

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

namespace coldstart {

class Reply {
  public:
    Reply(std::weak_ptr<Connection> connection, std::shared_ptr<Mailbox> mailbox)
        : connection_(std::move(connection)), mailbox_(std::move(mailbox)) {}
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply() {
        try {
            give(fault_answer(500, "The request was dropped without an answer."));
        } catch (const std::exception&) {
            // No memory to say so: the client's own timeout ends this.
        }
    }

    void give(HttpAnswer answer) {
        if (given_.exchange(true))
            return;
        mailbox_->post([weak = connection_, answer = std::move(answer)]() mutable {
            if (const auto connection = weak.lock())
                connection->answer(std::move(answer));
        });
    }

  private:
    std::weak_ptr<Connection> connection_;
    std::shared_ptr<Mailbox> mailbox_;
    std::atomic<bool> given_{false};
};

} // namespace coldstart
