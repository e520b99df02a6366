#include "vmm/cli/ctl/console.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/ctl/json_cells.h"
#include "vmm/cli/ctl/verb_table.h"
#include "vmm/cli/front.h"
#include "vmm/cli/terminal.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <unistd.h>

namespace coldstart {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// Of a request at most; the guest's UART takes a few bytes at a time anyway.
constexpr std::size_t piece_bytes = 4096;
constexpr std::size_t max_waiting_bytes = 16384;
constexpr auto retry_after = 50ms;
/// Keys must not wait long for a machine that does not answer: Ctrl-A x is among them.
constexpr auto key_timeout = 5s;
constexpr double default_linger_s = 1;
constexpr double max_linger_s = 3e7;

constexpr std::string_view key_help = "\r\n"
                                      "Ctrl-A x       detach; the machine runs on\r\n"
                                      "Ctrl-A p       pause the guest, and let it go on\r\n"
                                      "Ctrl-A h       show these keys\r\n"
                                      "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

/// The machine's way of saying that the guest has not read what was typed before.
bool is_no_room(const Error& error) {
    return std::string_view(error.what()).find("try again later") != std::string_view::npos;
}

} // namespace

std::size_t whole_utf8(std::string_view text) noexcept {
    const std::size_t looked_at = std::min<std::size_t>(text.size(), 3);
    for (std::size_t back = 1; back <= looked_at; ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if (byte < 0x80)
            break;
        if (byte < 0xc0)
            continue; // goes on what stands before
        const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return length > back ? text.size() - back : text.size();
    }
    return text.size();
}

ConsoleTyping::ConsoleTyping(CtlSession& session, bool on_terminal,
                             std::chrono::milliseconds linger)
    : session_(session), client_(session.socket_path(), key_timeout), on_terminal_(on_terminal),
      linger_(linger) {}

int ConsoleTyping::fd() const {
    // A terminal is read however much waits: one of the keys may be the way out.
    const bool full = !on_terminal_ && typed_.size() >= max_waiting_bytes;
    return input_ended_ || full ? -1 : session_.streams().in;
}

std::optional<StreamCompanion::TimePoint> ConsoleTyping::wake_at() const {
    if (retry_at_)
        return retry_at_;
    if (input_ended_)
        return last_sign_ + linger_;
    return std::nullopt;
}

bool ConsoleTyping::woken(bool readable) {
    if (readable)
        read_input();
    if (!detached_ && (!retry_at_ || Steady::now() >= *retry_at_))
        send();
    const bool silent = input_ended_ && !retry_at_ && Steady::now() >= last_sign_ + linger_;
    ended_ = detached_ || silent;
    return !ended_;
}

void ConsoleTyping::read_input() {
    std::array<std::byte, piece_bytes> bytes;
    const ssize_t count = ::read(session_.streams().in, bytes.data(), bytes.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count <= 0) {
        input_ended_ = true;
        detached_ = on_terminal_; // it has hung up
        last_sign_ = Steady::now();
        return;
    }
    const ByteView typed(bytes.data(), static_cast<std::size_t>(count));
    if (on_terminal_)
        take_keys(typed);
    else
        typed_.append(reinterpret_cast<const char*>(typed.data()), typed.size());
}

void ConsoleTyping::take_keys(ByteView typed) {
    const EscapeFilter::Result result = keys_.feed(typed);
    if (typed_.size() + result.for_guest.size() <= max_waiting_bytes)
        typed_.append(reinterpret_cast<const char*>(result.for_guest.data()),
                      result.for_guest.size());
    for (const EscapeAction action : result.actions) {
        if (action == EscapeAction::help)
            write_fully(session_.streams().err, key_help, "standard error");
        else if (action == EscapeAction::pause)
            pause_or_resume();
        else
            detached_ = true;
    }
}

/// One piece of what waits.
void ConsoleTyping::send() {
    retry_at_.reset();
    std::string_view piece = std::string_view(typed_).substr(0, piece_bytes);
    const std::size_t whole = whole_utf8(piece);
    // At the end, or in the middle of something that is no UTF-8 at all, nothing completes it.
    if (whole > 0 || !input_ended_)
        piece = piece.substr(0, whole);
    if (piece.empty())
        return;
    try {
        check_answer(client_.request("PUT", "/console", json_text({{"input", piece}})));
        typed_.erase(0, piece.size());
        last_sign_ = Steady::now();
        if (whole_utf8(typed_) > 0 || (input_ended_ && !typed_.empty()))
            retry_at_ = last_sign_;
    } catch (const Error& error) {
        if (is_no_room(error))
            retry_at_ = Steady::now() + retry_after;
        else
            failed(error);
    }
}

/// On a terminal one can try again. Else what follows would be typed with a piece missing before.
void ConsoleTyping::failed(const Error& error) {
    typed_.clear();
    if (on_terminal_) {
        session_.remark(error.what());
        return;
    }
    failure_ = error;
    input_ended_ = true;
    last_sign_ = Steady::now();
}

void ConsoleTyping::rethrow() const {
    if (failure_)
        throw Error(*failure_);
}

void ConsoleTyping::pause_or_resume() {
    try {
        const bool paused = cell(session_.get("/"), "state") == "Paused";
        session_.tell("PATCH", "/vm", {{"state", paused ? "Resumed" : "Paused"}});
    } catch (const Error& error) {
        session_.remark(error.what());
    }
}

int ctl::console(CtlSession& session) {
    if (cell(session.get("/"), "state") == "Not started")
        throw Error("console: the machine has not started", "start it: coldstart ctl start");
    const bool on_terminal = ::isatty(session.streams().in) != 0;
    const double linger_s =
        std::min(session.command().linger_s.value_or(default_linger_s), max_linger_s);
    ConsoleTyping typing(session, on_terminal,
                         std::chrono::milliseconds(static_cast<long long>(linger_s * 1000)));
    bool ended_by_machine = true;
    {
        if (on_terminal)
            session.remark("the machine's console; Ctrl-A x detaches, Ctrl-A h helps");
        const RawTerminal raw(session.streams().in);
        const auto take = [&](std::string_view bytes) {
            session.print(bytes);
            typing.heard();
            return true;
        };
        check_answer(session.client().stream_bytes("/console", take, &typing));
        ended_by_machine = !typing.ended();
    }
    if (!ended_by_machine)
        typing.rethrow();
    if (on_terminal)
        session.remark(ended_by_machine ? "the console has ended" : "detached");
    return exit_status::powered_off;
}

} // namespace coldstart
