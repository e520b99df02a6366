#include "vmm/cli/run.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/cli/front.h"
#include "vmm/cli/log_target.h"
#include "vmm/cli/session.h"

#include <cstdio>

namespace coldstart {

int report_end(const RunEnd& end, const VmConfig& config) {
    switch (end.reason) {
    case EndReason::powered_off:
        return exit_status::powered_off;
    case EndReason::rebooted:
        return exit_status::guest_rebooted;
    case EndReason::guest_exited:
        return end.status;
    case EndReason::crashed:
        std::fprintf(stderr, "coldstart: error: the guest crashed: %s\n", end.description.c_str());
        return exit_status::guest_crashed;
    case EndReason::timed_out:
        std::fprintf(stderr, "coldstart: error: --timeout: the guest still ran after %g s\n",
                     config.timeout_s.value_or(0));
        return exit_status::timed_out;
    case EndReason::stopped:
        return end.signal == 0 ? exit_status::powered_off : exit_status::signal_base + end.signal;
    }
    return exit_status::host_failed;
}

int run_command(const RunCommand& command) {
    const LogTarget log(command.log_level, command.log_path);
    return run_session(
        {.config = command.config,
         .requests = command.requests,
         .api = command.api,
         .metadata_path = command.metadata_path,
         .events_path = command.events_path,
         .display_on_terminal = command.display_on_terminal,
         .exit_status = [&command](const RunEnd& end) { return report_end(end, command.config); }});
}

int serve_command(const ServeCommand& command) {
    const LogTarget log(command.log_level, command.log_path);
    return run_session({.config = command.config,
                        .requests = command.requests,
                        .api = command.api,
                        .metadata_path = command.metadata_path,
                        .metadata_limit_bytes = command.metadata_limit_bytes,
                        .start_at_once = command.start_at_once,
                        .read_stdin = false,
                        .signals_press_button = false,
                        .exit_status = [&command](const RunEnd& end) {
                            // Guests of this API power off by a reset, which is no failure.
                            if (end.reason == EndReason::rebooted || end.triple_fault)
                                return exit_status::powered_off;
                            return report_end(end, command.config);
                        }});
}

} // namespace coldstart
