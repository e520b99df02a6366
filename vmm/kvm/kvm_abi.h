// <linux/kvm.h> for C++. The __DECLARE_FLEX_ARRAY of kernel headers before 6.4 wraps a flexible
// array in a struct with an empty member, which has a size in C++: offsets and ioctl numbers go
// wrong in silence. Whoever needs KVM's structures includes this file.
#pragma once

#include <linux/stddef.h>

// The name is the kernel's, reserved on purpose.
#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) TYPE NAME[] // NOLINT(bugprone-reserved-identifier)

#include <linux/kvm.h>

static_assert(sizeof(kvm_irq_routing) == 8 && sizeof(kvm_msrs) == 8 && sizeof(kvm_cpuid2) == 8 &&
                  sizeof(kvm_msr_list) == 4,
              "KVM's structures with flexible arrays have the kernel's size");
