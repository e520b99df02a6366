// coldstart doctor: what this host can do for a guest, what is missing and what mends it.
#pragma once

#include <string>
#include <vector>

namespace coldstart {

enum class CheckResult { ok, note, bad };

struct HostCheck {
    std::string name;
    CheckResult result = CheckResult::ok;
    std::string finding;
    std::string remedy; ///< a command where there is one; empty when nothing is to be done
};

struct HostReport {
    std::vector<HostCheck> checks;
    std::string kvm_kind; ///< "hardware", "emulating" or "none"

    /// Linux guests can run here.
    bool usable() const noexcept;
};

HostReport examine_host(const std::string& kvm_path = "/dev/kvm");

/// The report as text or JSON (docs/cli.md) on stdout; the exit status.
int print_report(const HostReport& report, bool json);

} // namespace coldstart
