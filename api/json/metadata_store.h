// The metadata of a machine: one JSON document that the host puts, merges into and reads, and that
// the guest reads path by path.
// Sources: Firecracker's docs/mmds/mmds-user-guide.md and mmds-design.md; RFC 6901 (JSON pointer),
// RFC 7396 (merge patch).
//
// As text (the format of Amazon's IMDS) a string is itself and an object is its keys in order, one
// a line, with a slash after those that lead to objects; nothing else can be text.
// Missing: saving it with a snapshot, on purpose: what a clone is told is for its host to decide.
//
// Threads: any, at the same time.
#pragma once

#include "vmm/base/error.h"
#include "vmm/base/metadata_source.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace coldstart {

/// The document would be larger than the store may be: HTTP status 413.
class MetadataTooLarge : public Error {
  public:
    using Error::Error;
};

class MetadataStore final : public MetadataSource {
  public:
    static constexpr std::size_t default_limit_bytes = 51200;
    static constexpr unsigned max_depth = 127; ///< of objects and arrays in one another

    /// The limit is on the document without white space.
    explicit MetadataStore(std::size_t limit_bytes = default_limit_bytes);
    ~MetadataStore() override;

    /// Replaces the document. Throws Error when the text is no JSON, MetadataTooLarge; then the
    /// store is as before, as with patch().
    void put(std::string_view json_text);
    /// Merges the text into the document. Throws Error also before the first put().
    void patch(std::string_view json_text);
    /// The document without white space; "{}" when it is null, as before the first put().
    std::string json() const;

    void set_limit(std::size_t limit_bytes) noexcept { limit_bytes_ = limit_bytes; }

    MetadataAnswer lookup(std::string_view path, bool wants_json) const override;

  private:
    struct Document;
    using DocumentPointer = std::shared_ptr<const Document>;

    DocumentPointer current() const;
    void replace(DocumentPointer next);

    std::atomic<std::size_t> limit_bytes_;
    std::mutex writer_; ///< one put() or patch() at a time
    mutable std::mutex mutex_;
    DocumentPointer document_; ///< null before the first put(); what it points at never changes
};

/// Puts what a file holds (--metadata). Throws Error that names the file.
void put_metadata_file(MetadataStore& store, const std::string& path);

} // namespace coldstart
