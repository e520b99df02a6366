#include "vmm/cli/firecracker.h"

#include "api/json/answer_json.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/cli/args.h"
#include "vmm/cli/config_flag.h"
#include "vmm/cli/help.h"
#include "vmm/cli/run.h"
#include "vmm/cli/session.h"

#include <cstdio>
#include <new>

namespace coldstart {
namespace {

using namespace firecracker_status;

int complain(int status, std::string_view message) {
    std::fprintf(stderr, "Error: %.*s\n", static_cast<int>(message.size()), message.data());
    return status;
}

/// A guest that resets has had enough: Firecracker's guests have no other way to power off.
int status_of(const RunEnd& end, const VmConfig& config) {
    if (end.reason == EndReason::rebooted || end.triple_fault)
        return ok;
    const int status = report_end(end, config);
    return end.reason == EndReason::crashed ? error : status;
}

SessionOptions session_of(const FirecrackerArguments& arguments) {
    SessionOptions options;
    options.config = api_machine();
    options.config.id = arguments.id;
    if (arguments.wants_logger())
        options.requests.emplace_back(PutLogger{arguments.logger});
    if (!arguments.metrics_path.empty())
        options.requests.emplace_back(PutMetrics{arguments.metrics_path, false, {}});
    if (!arguments.config_path.empty()) {
        for (Request& request : read_config_file(arguments.config_path))
            options.requests.push_back(std::move(request));
    }
    options.start_at_once = !arguments.config_path.empty();
    if (arguments.api)
        options.api.socket_path = arguments.api_socket;
    options.api.max_body_bytes = arguments.max_body_bytes.value_or(options.api.max_body_bytes);
    options.metadata_path = arguments.metadata_path;
    options.metadata_limit_bytes =
        arguments.metadata_limit_bytes.value_or(options.api.max_body_bytes);
    options.signals_press_button = false;
    options.exit_status = [config = options.config](const RunEnd& end) {
        return status_of(end, config);
    };
    return options;
}

int run(const FirecrackerArguments& arguments) {
    set_log_level(LogLevel::warn);
    if (arguments.wants_pci)
        log_warn("--enable-pci: devices stay on MMIO here");
    SessionOptions options;
    try {
        options = session_of(arguments);
    } catch (const Error& error) {
        return complain(bad_configuration, error.what());
    }
    return run_session(std::move(options));
}

} // namespace

int firecracker_command(std::span<const std::string_view> arguments) {
    try {
        const FirecrackerArguments parsed = parse_firecracker(arguments);
        if (parsed.version) {
            std::printf("Firecracker v%.*s\n", static_cast<int>(api_version.size()),
                        api_version.data());
            return ok;
        }
        if (parsed.help) {
            const std::string text = help_text("firecracker");
            std::fwrite(text.data(), 1, text.size(), stdout);
            return ok;
        }
        return run(parsed);
    } catch (const ConfigurationRefused& error) {
        return complain(bad_configuration, error.what());
    } catch (const UsageError& error) {
        return complain(bad_argument, error.what());
    } catch (const Error& error) {
        return complain(firecracker_status::error, error.what());
    } catch (const std::bad_alloc&) {
        return complain(firecracker_status::error, "out of memory");
    }
}

} // namespace coldstart
