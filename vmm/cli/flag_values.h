// Reading the values of flags. Every function throws UsageError naming the flag, the value and
// what is accepted; parse_command_line adds where to read more.
#pragma once

#include "api/command/vm_config.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace coldstart {

/// A multiple of 4 KiB in [min_memory_bytes, max_memory_bytes].
std::uint64_t parse_memory_flag(std::string_view flag, std::string_view value);

/// A folder, or nothing for "off".
std::string parse_kernel_cache_flag(std::string_view flag, std::string_view value);

/// 1..max_cpus
std::uint32_t parse_cpus_flag(std::string_view flag, std::string_view value);

/// A positive decimal number of seconds; fractions count.
double parse_seconds_flag(std::string_view flag, std::string_view value);

/// 1 to 64 characters of A-Z a-z 0-9 and '-'.
std::string parse_id_flag(std::string_view flag, std::string_view value);

/// path=F[,format=raw][,readonly=on|off][,id=NAME][,serial=TEXT][,cache=writeback|none|unsafe]
/// [,bootindex=N];
/// a comma inside a value is written twice.
DiskConfig parse_disk_flag(std::string_view flag, std::string_view value);

/// tap=NAME or user[,forward=tcp|udp:HOST_PORT:GUEST_PORT]..., then [,mac=A][,id=NAME]
/// [,bootindex=N][,rom=F|none]; a comma inside a value is written twice.
NetConfig parse_net_flag(std::string_view flag, std::string_view value);

/// SIZE[,deflate-on-oom=on|off][,reporting=on|off], the size in whole MiB.
BalloonConfig parse_balloon_flag(std::string_view flag, std::string_view value);
/// cid=N,path=F; a comma inside a value is written twice.
VsockConfig parse_vsock_flag(std::string_view flag, std::string_view value);

/// stdio, none, pty, file=F or socket=F
SerialConfig parse_serial_flag(std::string_view flag, std::string_view value);

} // namespace coldstart
