// What requests do to a machine that runs, and what they learn of it.
// Threads: the control thread, within a call of the control queue. Each throws Error when it is
// refused, and then nothing has changed.
#pragma once

#include "api/command/answer.h"
#include "virtio/balloon/virtio_balloon.h"
#include "vmm/base/reactor.h"
#include "vmm/runtime/control/configuration.h"
#include "vmm/runtime/virtual_machine.h"

namespace coldstart {

void change_drive(VirtualMachine& vm, Reactor& reactor, Configuration& configuration,
                  const PatchDrive& patch);
void change_network(VirtualMachine& vm, Configuration& configuration,
                    const PatchNetworkInterface& patch);

VirtioBalloon& balloon_of(VirtualMachine& vm);
/// What the guest has told last, and asks for more.
BalloonStatisticsAnswer statistics_of(VirtioBalloon& balloon);
BalloonHintingAnswer hinting_of(VirtioBalloon& balloon);

/// On a machine without a keyboard controller, and when its guest does not listen to one, the power
/// button is pressed instead: what clients want with it is that the guest shuts down.
void press_ctrl_alt_delete(VirtualMachine& vm);

Document screen_text(const VirtualMachine& vm);
Document screen_png(const VirtualMachine& vm);

} // namespace coldstart
