// What is typed at `coldstart ctl console` on its way to the machine: bytes of a descriptor as PUT
// /console, in pieces that are whole UTF-8, and again later when the guest has no room.
// Missing: bytes that are no UTF-8; JSON can't carry them, and U+FFFD is typed for them.
// Threads: one, that of the stream whose companion this is.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/error.h"
#include "vmm/cli/ctl/session.h"
#include "vmm/cli/escape_filter.h"

#include <chrono>
#include <optional>
#include <string>

namespace coldstart {

/// How much of `text` can go now: all but a UTF-8 sequence that may still be completed.
std::size_t whole_utf8(std::string_view text) noexcept;

class ConsoleTyping final : public StreamCompanion {
  public:
    /// `on_terminal`: keys after Ctrl-A are ours, and the end of input is a detach. Else input is
    /// passed on as it is, and at its end the guest has `linger` of silence left.
    ConsoleTyping(CtlSession& session, bool on_terminal, std::chrono::milliseconds linger);

    int fd() const override;
    std::optional<TimePoint> wake_at() const override;
    bool woken(bool readable) override;

    /// The guest has written something.
    void heard() { last_sign_ = std::chrono::steady_clock::now(); }
    /// Throws what kept input from arriving, if that was so.
    void rethrow() const;
    /// Whether it was this side that ended the stream.
    bool ended() const noexcept { return ended_; }

  private:
    void read_input();
    void take_keys(ByteView typed);
    void send();
    void failed(const Error& error);
    void pause_or_resume();

    CtlSession& session_;
    const HttpClient client_;
    const bool on_terminal_;
    const std::chrono::milliseconds linger_;
    EscapeFilter keys_;
    std::string typed_; ///< not sent yet
    std::optional<TimePoint> retry_at_;
    TimePoint last_sign_ = std::chrono::steady_clock::now();
    std::optional<Error> failure_;
    bool input_ended_ = false;
    bool detached_ = false;
    bool ended_ = false;
};

} // namespace coldstart
