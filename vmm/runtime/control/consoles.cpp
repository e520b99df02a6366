#include "vmm/runtime/control/consoles.h"

#include "vmm/machine/rate_limits.h"

#include <cstdio>
#include <utility>

#include <unistd.h>

namespace coldstart {
namespace {

bool com1_on_terminal(const VmConfig& config) noexcept {
    return config.serial.kind == SerialConfig::Kind::stdio && !config.virtio_console;
}

std::unique_ptr<ByteStream> open_serial(Reactor& reactor, const SerialConfig& serial,
                                        bool keep_file) {
    switch (serial.kind) {
    case SerialConfig::Kind::file:
        return keep_file ? open_kept_file_stream(reactor, serial.path)
                         : open_file_stream(reactor, serial.path);
    case SerialConfig::Kind::socket:
        return open_socket_stream(reactor, serial.path);
    case SerialConfig::Kind::pty: {
        std::string path;
        auto stream = open_pty_stream(reactor, path);
        std::fprintf(stderr, "coldstart: the serial console is at %s\n", path.c_str());
        return stream;
    }
    case SerialConfig::Kind::stdio:
    case SerialConfig::Kind::none:
        break;
    }
    return std::make_unique<NullStream>();
}

} // namespace

bool Consoles::use_terminal(const VmConfig& config) noexcept {
    return com1_on_terminal(config) || config.virtio_console;
}

Consoles::Consoles(Reactor& reactor, const VmConfig& config, ConsoleOptions options)
    : clock_(reactor) {
    const bool keep_file = options.keep_serial_file;
    if (use_terminal(config))
        terminal_ = open_terminal(reactor, std::move(options));
    if (com1_on_terminal(config))
        terminal_ = limit(std::move(terminal_), config.serial);
    else
        com1_ = limit(open_serial(reactor, config.serial, keep_file), config.serial);
    if (!config.debugcon_path.empty())
        debugcon_ = open_file_stream(reactor, config.debugcon_path);
    if (terminal_ || config.serial.kind != SerialConfig::Kind::none)
        hub_ = std::make_unique<ConsoleHub>(reactor, terminal_ ? *terminal_ : *com1_);
}

std::unique_ptr<ByteStream> Consoles::limit(std::unique_ptr<ByteStream> stream,
                                            const SerialConfig& serial) {
    if (!serial.limiter || !serial.limiter->limits())
        return stream;
    auto limited = std::make_unique<LimitedStream>(std::move(stream),
                                                   token_bucket_of(*serial.limiter), clock_);
    limited_ = limited.get();
    return limited;
}

std::unique_ptr<ByteStream> Consoles::open_terminal(Reactor& reactor, ConsoleOptions options) {
    InputFilter filter = ::isatty(STDIN_FILENO) != 0 ? std::move(options.filter) : InputFilter();
    return open_fd_stream(reactor, "the terminal", options.read_stdin ? STDIN_FILENO : -1,
                          STDOUT_FILENO, std::move(filter));
}

std::map<std::string, ByteStream*, std::less<>> Consoles::by_name() {
    std::map<std::string, ByteStream*, std::less<>> streams;
    streams["com1"] = com1_ ? com1_.get() : hub_.get();
    if (com1_ && terminal_)
        streams["console"] = hub_.get();
    else if (com1_ && hub_)
        streams["com1"] = hub_.get();
    streams["com2"] = &nobody_;
    if (debugcon_)
        streams["debugcon"] = debugcon_.get();
    return streams;
}

} // namespace coldstart
