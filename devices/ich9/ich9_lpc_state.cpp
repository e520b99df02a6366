// Saving and restoring Ich9Lpc.
#include "devices/ich9/ich9_lpc.h"
#include "devices/ich9/lpc_function.h"
#include "vmm/base/error.h"

namespace coldstart {

using namespace ich9;

namespace {

// Reader and writer share the lists, so that neither forgets a field.
template <typename Visitor, typename State>
void visit_pm1(State& state, Visitor visit) {
    auto& [status, enable, control, timer_elapsed_ns] = state;
    visit(status, enable, control, timer_elapsed_ns);
}

template <typename Visitor, typename State>
void visit_tco(State& state, Visitor visit) {
    auto& [status1, status2, control1, control2, initial_count, data_in, data_out, message1,
           message2, watchdog_control, irq_generate, is_running, timed_out_once, left_ns] = state;
    visit(status1, status2, control1, control2, initial_count, data_in, data_out, message1,
          message2, watchdog_control, irq_generate, is_running, timed_out_once, left_ns);
}

template <typename Visitor, typename State>
void visit_registers(State& state, Visitor visit) {
    auto& [gpe_enable, smi_requested, smi_negotiated, smi_enable, smi_status, gcs, hptc,
           apm_control, apm_status, port92, smi_settled] = state;
    visit(gpe_enable, smi_requested, smi_negotiated, smi_enable, smi_status, gcs, hptc, apm_control,
          apm_status, port92, smi_settled);
}

} // namespace

void Ich9Lpc::save(StateWriter& writer) const {
    {
        const std::lock_guard guard(lock_);
        const auto put = [&](const auto&... values) { writer.fields(values...); };
        writer.begin("ich9-lpc", 1);
        const Pm1Block::State pm1 = pm1_.saved();
        const TcoWatchdog::State tco = tco_.saved();
        visit_registers(registers_, put);
        visit_pm1(pm1, put);
        visit_tco(tco, put);
    }
    function_->save(writer);
}

void Ich9Lpc::restore(StateReader& reader) {
    Registers registers;
    Pm1Block::State pm1;
    TcoWatchdog::State tco;
    const auto get = [&](auto&... values) { reader.fields(values...); };
    reader.begin("ich9-lpc", 1);
    visit_registers(registers, get);
    visit_pm1(pm1, get);
    visit_tco(tco, get);
    if (!pm1_.is_possible(pm1) || !TcoWatchdog::is_possible(tco) ||
        (registers.smi_enable & ~smi_en_writable) != 0 ||
        (registers.smi_status & ~smi_sts_apm) != 0 || (registers.smi_negotiated & ~offered) != 0 ||
        (registers.gcs & ~gcs_no_reboot) != 0 || (registers.hptc & ~hptc_writable) != 0 ||
        (registers.port92 & ~port92_kept) != 0)
        throw Error("saved state: ich9-lpc registers hold impossible values",
                    "the file is damaged");
    function_->restore(reader);
    const std::lock_guard guard(lock_);
    registers_ = registers;
    pm1_.load(pm1);
    tco_.load(tco);
    sync();
}

} // namespace coldstart
