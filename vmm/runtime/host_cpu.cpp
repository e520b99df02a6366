#include "vmm/runtime/host_cpu.h"

#include <memory>

namespace coldstart {
namespace {

HostCpu read_host_cpu(const Kvm& kvm) {
    return {kvm.supported_cpuid(), host_cpu_name()};
}

} // namespace

HostCpuReading::HostCpuReading(const Kvm& kvm, Reactor* beside) : kvm_(kvm) {
    if (beside == nullptr)
        return;
    const auto task =
        std::make_shared<std::packaged_task<HostCpu()>>([&kvm] { return read_host_cpu(kvm); });
    pending_ = task->get_future();
    beside->post([task] { (*task)(); });
}

HostCpuReading::~HostCpuReading() {
    // A reactor that ends without having come to the task drops it, and that ends the wait.
    if (pending_.valid())
        pending_.wait();
}

const HostCpu& HostCpuReading::result() {
    if (!result_)
        result_ = pending_.valid() ? pending_.get() : read_host_cpu(kvm_);
    return *result_;
}

} // namespace coldstart
