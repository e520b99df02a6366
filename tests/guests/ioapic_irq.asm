; Interrupts reach the CPU through the IOAPIC: the PIT as edges at pin 2, and the RTC's periodic
; interrupt as a level at pin 8. Every second level interrupt ends without its cause being taken
; away, so that only an IOAPIC that hears of the end and looks at its input sends the next one.
%include "pvh.inc"
PITS_WANTED equ 10
RTCS_WANTED equ 20
%include "timers.inc"

LAPIC_EOI      equ 0xfee000b0
LAPIC_SPURIOUS equ 0xfee000f0
IOAPIC_SELECT  equ 0xfec00000
IOAPIC_WINDOW  equ 0xfec00010

%macro SET_ENTRY 2                  ; pin, low half; to the boot processor
    mov dword [IOAPIC_SELECT], 0x10 + %1 * 2 + 1
    mov dword [IOAPIC_WINDOW], 0
    mov dword [IOAPIC_SELECT], 0x10 + %1 * 2
    mov dword [IOAPIC_WINDOW], %2
%endmacro

main:
    call load_idt
    GATE 0x30, on_pit
    GATE 0x38, on_rtc

    mov al, 0xff                    ; nothing through the 8259s
    out 0x21, al
    out 0xa1, al
    mov dword [LAPIC_SPURIOUS], 0x1ff
    SET_ENTRY 2, 0x30               ; edge
    SET_ENTRY 8, 0x8038             ; level
    mov eax, [IOAPIC_WINDOW]
    cmp eax, 0x8038
    jne .failed

    call start_timers
    jmp wait_for_interrupts
.failed:
    mov esi, .text
    jmp fail
.text: db "the entry does not read as it was written", 0

all_came:
    SAY "edges and levels"
    ret

on_pit:
    inc dword [pits]
    jmp end_of_interrupt

on_rtc:
    inc dword [rtcs]
    test dword [rtcs], 1
    jnz end_of_interrupt            ; the level stays
    call read_register_c
end_of_interrupt:
    mov dword [LAPIC_EOI], 0
    jmp wait_for_more
