#include "vmm/cli/doctor.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/kvm/capabilities.h"
#include "vmm/kvm/ring0_probe.h"
#include "vmm/kvm/vcpu.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include <linux/io_uring.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace coldstart {
namespace {

HostCheck check_kernel() {
    utsname name{};
    ::uname(&name);
    return {"host", CheckResult::ok, cat(name.sysname, " ", name.release, ", ", name.machine), ""};
}

void check_capabilities(const Kvm& kvm, HostReport& report) {
    for (const Capability& capability : known_capabilities()) {
        const int value = kvm.extension(capability.number);
        if (value <= 0)
            report.checks.push_back(
                {capability.name, CheckResult::note, cat("absent: ", capability.purpose), ""});
    }
    report.checks.push_back(
        {"limits", CheckResult::ok,
         cat(kvm.max_vcpus(), " vCPUs, ", kvm.max_memory_slots(), " memory slots a machine"), ""});
}

void check_speed(const Kvm& kvm, HostReport& report) {
    const Ring0Probe probe = probe_ring0(kvm);
    const auto speed = static_cast<std::uint64_t>(probe.instructions_per_us());
    if (probe.emulated()) {
        report.kvm_kind = "emulating";
        report.checks.push_back(
            {"ring 0", CheckResult::bad,
             cat("this KVM emulates privileged guest code (", speed,
                 " instructions/us): small guests run, Linux does not"),
             "use a machine with VT-x or AMD-V visible (nested virtualisation switched on), or run "
             "in the lab: scripts/lab -- COMMAND"});
    } else {
        report.kvm_kind = "hardware";
        report.checks.push_back(
            {"ring 0", CheckResult::ok,
             cat("privileged guest code runs on the CPU (", speed, " instructions/us)"), ""});
    }
    Vm vm(kvm);
    const Vcpu vcpu(vm, 0);
    const std::uint32_t khz = vcpu.tsc_khz();
    report.checks.push_back({"tsc", khz == 0 ? CheckResult::note : CheckResult::ok,
                             khz == 0 ? "frequency unknown: guests calibrate it, which takes time"
                                      : cat("guests are told its frequency, ", khz, " kHz"),
                             ""});
}

void check_kvm(const std::string& kvm_path, HostReport& report) {
    try {
        const Kvm kvm(kvm_path);
        report.checks.push_back({"kvm", CheckResult::ok, kvm_path + " opens", ""});
        check_speed(kvm, report);
        check_capabilities(kvm, report);
    } catch (const Error& error) {
        const std::string text = error.what();
        const std::size_t cut = text.find("; ");
        report.checks.push_back({"kvm", CheckResult::bad, text.substr(0, cut),
                                 cut == std::string::npos ? "" : text.substr(cut + 2)});
    }
}

HostCheck check_io_uring() {
    io_uring_params parameters{};
    const long fd = ::syscall(SYS_io_uring_setup, 1, &parameters);
    if (fd >= 0) {
        ::close(static_cast<int>(fd));
        return {"io_uring", CheckResult::ok, "disks use it", ""};
    }
    return {
        "io_uring", CheckResult::note, "not permitted here: disks fall back to slower calls",
        "sudo sysctl kernel.io_uring_disabled=0, or allow it in the container's seccomp profile"};
}

HostCheck check_open_files() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    constexpr rlim_t comfortable = 512;
    if (limit.rlim_cur >= comfortable)
        return {"open files", CheckResult::ok, cat("up to ", limit.rlim_cur), ""};
    return {"open files", CheckResult::note,
            cat("up to ", limit.rlim_cur, ": machines with many devices or vCPUs need more"),
            "ulimit -n 1024"};
}

HostCheck check_memory() {
    std::ifstream meminfo("/proc/meminfo");
    std::string key, unit;
    std::uint64_t kib = 0;
    while (meminfo >> key >> kib) {
        std::getline(meminfo, unit);
        if (key == "MemAvailable:")
            return {"memory", CheckResult::ok, cat(kib / 1024, " MiB available for guests"), ""};
    }
    return {"memory", CheckResult::note, "/proc/meminfo does not tell what is available", ""};
}

const char* result_name(CheckResult result) {
    switch (result) {
    case CheckResult::ok:
        return "ok";
    case CheckResult::note:
        return "note";
    case CheckResult::bad:
        return "BAD";
    }
    return "";
}

std::string verdict(const HostReport& report) {
    if (report.usable())
        return "Linux guests run here.";
    return report.kvm_kind == "emulating"
               ? "Linux guests do not run on this KVM; small assembly guests do."
               : "No guest can run here.";
}

} // namespace

bool HostReport::usable() const noexcept {
    return std::none_of(checks.begin(), checks.end(),
                        [](const HostCheck& check) { return check.result == CheckResult::bad; });
}

HostReport examine_host(const std::string& kvm_path) {
    HostReport report;
    report.kvm_kind = "none";
    report.checks.push_back(check_kernel());
    check_kvm(kvm_path, report);
    report.checks.push_back(check_io_uring());
    report.checks.push_back(check_open_files());
    report.checks.push_back(check_memory());
    return report;
}

int print_report(const HostReport& report, bool json) {
    if (json) {
        nlohmann::ordered_json checks = nlohmann::ordered_json::array();
        for (const HostCheck& check : report.checks) {
            nlohmann::ordered_json item = {
                {"name", check.name},
                {"result", check.result == CheckResult::bad ? "bad" : result_name(check.result)},
                {"finding", check.finding}};
            if (!check.remedy.empty())
                item["remedy"] = check.remedy;
            checks.push_back(std::move(item));
        }
        const nlohmann::ordered_json document = {
            {"kvm", report.kvm_kind}, {"usable", report.usable()}, {"checks", std::move(checks)}};
        std::cout << document.dump(2) << '\n';
    } else {
        for (const HostCheck& check : report.checks) {
            std::printf("%-5s %-12s %s\n", result_name(check.result), check.name.c_str(),
                        check.finding.c_str());
            if (!check.remedy.empty())
                std::printf("%-18s mend: %s\n", "", check.remedy.c_str());
        }
        std::printf("\n%s\n", verdict(report).c_str());
    }
    std::cout.flush();
    return report.usable() ? 0 : 1;
}

} // namespace coldstart
