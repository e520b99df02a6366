// Counters of the machine and of the requests made to it: as JSON lines in a file, in the manner
// of Firecracker (counts since the line before), and as a page for Prometheus (counts since the
// start).
// Source: Firecracker's docs/metrics.md for names and format; Prometheus' text format 0.0.4.
// Missing: those of Firecracker's groups that count what is not there (signals, seccomp, i8042).
// Threads: the control thread.
#pragma once

#include "api/command/request.h"
#include "vmm/base/metadata_source.h"
#include "vmm/base/unique_fd.h"
#include "vmm/runtime/io_loop/io_loop.h"
#include "vmm/runtime/virtual_machine.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace coldstart {

class Metrics {
  public:
    static constexpr unsigned period_s = 60;

    /// Lines go to this file or FIFO from now on; `id` is the machine's. Throws Error when it can't
    /// be had, and when there is one already.
    void open(const PutMetrics& request, const std::string& id);
    /// Writes a first line and has `due` called every period_s on the loop's thread. Nothing
    /// happens without a file.
    void begin(IoLoop& loop, VirtualMachine& vm, std::function<void()> due);
    /// The loop is about to end.
    void end() noexcept { ticker_.reset(); }

    void count(const Request& request, bool refused);

    /// How long a step took the last time, in microseconds.
    enum class Step { process_startup, pause, resume };
    void took(Step step, std::uint64_t time_us);
    /// What is counted elsewhere than in devices: by the metadata service, and the bytes that a
    /// limit of the serial console dropped. Both outlive the calls of write() and prometheus().
    void watch(const MetadataCounters& metadata, std::function<std::uint64_t()> dropped_bytes);

    /// One line, when there is a file. `vm` may be nullptr.
    void write(const VirtualMachine* vm);
    std::string prometheus(const VirtualMachine* vm) const;

  private:
    struct Group {
        std::string name;   ///< "block"
        std::string device; ///< "rootfs"; empty: the only one, or all together
        std::vector<std::pair<std::string, std::uint64_t>> counters;
        bool is_gauge = false; ///< a value of now, not a count
    };

    std::vector<Group> collect(const VirtualMachine* vm) const;
    void collect_devices(const VirtualMachine& vm, std::vector<Group>& groups) const;
    void collect_services(const VirtualMachine& vm, std::vector<Group>& groups) const;

    UniqueFd file_;
    std::vector<std::pair<std::string, std::string>> properties_; ///< of each line
    UniqueFd timer_;
    std::unique_ptr<Watch> ticker_;
    std::map<std::pair<std::string, std::string>, std::uint64_t> requests_; ///< (group, name)
    std::map<std::string, std::uint64_t> drive_update_fails_;               ///< by id
    std::map<Step, std::uint64_t> took_us_;
    const MetadataCounters* metadata_ = nullptr;
    std::function<std::uint64_t()> dropped_bytes_;
    std::map<std::string, std::uint64_t> last_; ///< what the line before said, "group/name"
};

} // namespace coldstart
