// What the metadata service answers: methods, tokens, statuses.
// Source: Firecracker's docs/mmds/mmds-user-guide.md. Texts of errors are Firecracker's where
// clients may look at them.
//
// Version 1 answers every GET; version 2 only those with a good token. Both hand out tokens. A
// token is good on the card it was asked for.
// Missing: query strings and percent-encoding in paths: they are part of the name.
//
// Threads: one owner.
#pragma once

#include "virtio/backend/mmds/http.h"
#include "virtio/backend/mmds/tokens.h"
#include "vmm/base/metadata_source.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace coldstart {

struct MmdsServiceOptions {
    bool needs_token = false; ///< version 2
    bool text_only = false;   ///< answers are text whatever Accept says, as Amazon's are
};

class MmdsService {
  public:
    MmdsService(MetadataSource& source, const MmdsServiceOptions& options) noexcept
        : source_(source), options_(options) {}

    struct Reply {
        std::string bytes;
        bool keep_alive = false;
    };
    /// `head` is one that http_head_bytes() found. Throws only std::bad_alloc.
    Reply answer(std::string_view head, std::uint64_t now_ns);
    /// To a request whose head does not end where it should.
    static Reply answer_too_long();

    MetadataCounters& counters() noexcept { return source_.counters; }

  private:
    HttpAnswer respond(const HttpRequest& request, std::uint64_t now_ns);
    HttpAnswer get(const HttpRequest& request, std::uint64_t now_ns);
    HttpAnswer put(const HttpRequest& request, std::uint64_t now_ns);
    HttpAnswer make_token(const HttpRequest& request, std::uint64_t now_ns);

    MetadataSource& source_;
    const MmdsServiceOptions options_;
    MmdsTokens tokens_;
};

} // namespace coldstart
