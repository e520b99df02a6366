// A virtio socket device between a fake guest and real Unix sockets.
#pragma once

#include "tests/fakes/virtio_temp_file.h"
#include "tests/fakes/vsock_peers.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"

namespace coldstart::fakes {

struct VsockBench {
    explicit VsockBench(unsigned buffers = VsockGuest::queue_size / 2) { guest.start(buffers); }
    ~VsockBench() { mmio.halt(); }

    /// A host program that is connected to port `guest_port` of the guest, and the guest's request.
    std::pair<HostProgram, VsockPacket> connect(std::uint32_t guest_port) {
        HostProgram program(path);
        program.write("CONNECT " + std::to_string(guest_port) + "\n");
        const VsockPacket request = guest.expect(virtio_vsock::op_request).packet;
        guest.answer(request, virtio_vsock::op_response);
        if (program.read() != "OK " + std::to_string(request.src_port) + "\n")
            throw std::runtime_error("the host program did not read OK");
        return {std::move(program), request};
    }
    /// The guest connects from `guest_port` to where `server` waits.
    HostProgram connect_out(HostServer& server, std::uint32_t guest_port, std::uint32_t host_port) {
        guest.send(virtio_vsock::op_request, guest_port, host_port);
        guest.expect(virtio_vsock::op_response);
        return server.accept().value();
    }
    std::size_t connections() {
        const std::lock_guard guard(vsock->lock());
        return vsock->host().connections();
    }

    TempFile file{0}; ///< only for a name that nobody has
    std::string path = file.path() + ".v";
    GuestMemory memory = GuestMemory::on_heap(8 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    FakeClock clock;
    VirtioVsock* vsock =
        new VirtioVsock(VsockGuest::cid, std::make_shared<VsockListener>(path), reactor, clock);
    VirtioMmioDevice mmio{std::unique_ptr<VirtioDevice>(vsock), memory, line, reactor};
    VsockGuest guest{mmio, memory, reactor};
};

} // namespace coldstart::fakes
