// The header of a virtio socket packet: virtio 1.2, section 5.10.6.
#pragma once

#include "virtio/vsock/spec.h"
#include "vmm/base/bytes.h"

#include <array>
#include <cstdint>
#include <span>

namespace coldstart {

struct VsockPacket {
    using Bytes = std::array<std::byte, virtio_vsock::header::size_bytes>;

    std::uint64_t src_cid = 0;
    std::uint64_t dst_cid = 0;
    std::uint32_t src_port = 0;
    std::uint32_t dst_port = 0;
    std::uint32_t len = 0;
    std::uint16_t type = 0;
    std::uint16_t op = 0;
    std::uint32_t flags = 0;
    std::uint32_t buf_alloc = 0;
    std::uint32_t fwd_cnt = 0;

    static VsockPacket decode(const Bytes& bytes) noexcept {
        using namespace virtio_vsock;
        return {.src_cid = load_le<std::uint64_t>(bytes, header::src_cid),
                .dst_cid = load_le<std::uint64_t>(bytes, header::dst_cid),
                .src_port = load_le<std::uint32_t>(bytes, header::src_port),
                .dst_port = load_le<std::uint32_t>(bytes, header::dst_port),
                .len = load_le<std::uint32_t>(bytes, header::len),
                .type = load_le<std::uint16_t>(bytes, header::type),
                .op = load_le<std::uint16_t>(bytes, header::op),
                .flags = load_le<std::uint32_t>(bytes, header::flags),
                .buf_alloc = load_le<std::uint32_t>(bytes, header::buf_alloc),
                .fwd_cnt = load_le<std::uint32_t>(bytes, header::fwd_cnt)};
    }

    Bytes encode() const noexcept {
        using namespace virtio_vsock;
        Bytes bytes{};
        const std::span<std::byte> out(bytes);
        store_le(out, header::src_cid, src_cid);
        store_le(out, header::dst_cid, dst_cid);
        store_le(out, header::src_port, src_port);
        store_le(out, header::dst_port, dst_port);
        store_le(out, header::len, len);
        store_le(out, header::type, type);
        store_le(out, header::op, op);
        store_le(out, header::flags, flags);
        store_le(out, header::buf_alloc, buf_alloc);
        store_le(out, header::fwd_cnt, fwd_cnt);
        return bytes;
    }
};

} // namespace coldstart
