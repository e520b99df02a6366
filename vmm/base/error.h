// Errors of the set-up path.
//
// The project's one rule (CONTRIBUTING.md): whatever happens before a vCPU runs, or on a control
// request, reports failure by throwing Error; the exit path and the queue path throw nothing and
// return plain values. An Error is one line for a person: the thing, what is wrong with it, and
// what to do about it.
#pragma once

#include <stdexcept>
#include <string>

namespace coldstart {

/// Whose fault it is; decides the exit status (docs/cli.md).
enum class ErrorKind {
    usage, ///< a flag or a value the user gave: exit status 2
    host,  ///< the host, a file or an image: exit status 1
};

class Error : public std::runtime_error {
  public:
    /// `message` names the thing and what is wrong with it; `remedy` says what to do, may be empty.
    explicit Error(const std::string& message, const std::string& remedy = "",
                   ErrorKind kind = ErrorKind::host)
        : std::runtime_error(remedy.empty() ? message : message + "; " + remedy), kind_(kind) {}

    ErrorKind kind() const noexcept { return kind_; }

  private:
    ErrorKind kind_;
};

/// A wrong flag, value or combination of flags.
class UsageError : public Error {
  public:
    explicit UsageError(const std::string& message, const std::string& remedy = "")
        : Error(message, remedy, ErrorKind::usage) {}
};

/// "thing: what the system said"; `error_number` is an errno value.
Error system_error(const std::string& thing, int error_number, const std::string& remedy = "");

} // namespace coldstart
