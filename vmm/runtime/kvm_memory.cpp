#include "vmm/runtime/kvm_memory.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"

#include <algorithm>

namespace coldstart {

bool KvmMemory::overlaps(Gpa gpa, std::uint64_t size_bytes) const noexcept {
    return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
        return !slot.memory.empty() && gpa.value < slot.gpa.value + slot.memory.size() &&
               slot.gpa.value < gpa.value + size_bytes;
    });
}

void KvmMemory::set_in(AddressSpace space, std::uint32_t number, const Slot& slot,
                       std::uint64_t size_bytes) {
    vm_->set_memory_slot(number, slot.gpa, size_bytes, slot.memory.data(),
                         slot.access == MemoryAccess::read_only ? SlotAccess::read_only
                                                                : SlotAccess::read_write,
                         space);
}

void KvmMemory::set(std::uint32_t number, const Slot& slot, std::uint64_t size_bytes) {
    if (!slot.smm_only)
        set_in(AddressSpace::normal, number, slot, size_bytes);
    if (!has_smm_)
        return;
    try {
        set_in(AddressSpace::smm, number, slot, size_bytes);
    } catch (const Error&) {
        if (!slot.smm_only && size_bytes != 0)
            set_in(AddressSpace::normal, number, slot, 0); // in both or in none
        throw;
    }
}

bool KvmMemory::show(Gpa gpa, std::span<std::byte> memory, MemoryAccess access) noexcept {
    return show_slot({gpa, memory, access, false});
}

bool KvmMemory::show_in_smm(Gpa gpa, std::span<std::byte> memory) noexcept {
    return has_smm_ && show_slot({gpa, memory, MemoryAccess::read_write, true});
}

bool KvmMemory::show_slot(const Slot& slot) noexcept {
    const auto& [gpa, memory, access, smm_only] = slot;
    const bool whole_pages = gpa.value % 4096 == 0 && memory.size() % 4096 == 0;
    if (memory.empty() || !whole_pages || gpa.value > ~std::uint64_t{0} - memory.size())
        return false;
    const std::lock_guard guard(mutex_);
    const auto free = std::find_if(slots_.begin(), slots_.end(),
                                   [](const Slot& other) { return other.memory.empty(); });
    if (free == slots_.end() || overlaps(gpa, memory.size()))
        return false;
    *free = slot;
    if (vm_ == nullptr)
        return true;
    try {
        set(static_cast<std::uint32_t>(free - slots_.begin()), *free, memory.size());
    } catch (const Error& error) {
        *free = {};
        log_warn(error.what());
        return false;
    }
    return true;
}

void KvmMemory::hide(Gpa gpa) noexcept {
    const std::lock_guard guard(mutex_);
    const auto found = std::find_if(slots_.begin(), slots_.end(), [gpa](const Slot& slot) {
        return !slot.memory.empty() && slot.gpa == gpa;
    });
    if (found == slots_.end())
        return;
    if (vm_ != nullptr) {
        try {
            set(static_cast<std::uint32_t>(found - slots_.begin()), *found, 0);
        } catch (const Error& error) {
            log_warn(error.what());
        }
    }
    *found = {};
}

void KvmMemory::bind(Vm& vm) {
    const std::lock_guard guard(mutex_);
    vm_ = &vm;
    for (std::uint32_t number = 0; number < slots_.size(); ++number) {
        if (!slots_[number].memory.empty())
            set(number, slots_[number], slots_[number].memory.size());
    }
}

void KvmMemory::unbind() noexcept {
    const std::lock_guard guard(mutex_);
    vm_ = nullptr;
}

} // namespace coldstart
