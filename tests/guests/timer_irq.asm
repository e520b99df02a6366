; Interrupts reach the CPU: PIT channel 0 through the PIC's IRQ 0, and the RTC's periodic
; interrupt through IRQ 8; ten of each.
%include "pvh.inc"
PITS_WANTED equ 10
RTCS_WANTED equ 10
%include "timers.inc"

main:
    call load_idt
    GATE 0x20, on_pit
    GATE 0x28, on_rtc

    mov al, 0x11                    ; 8259A initialisation: ICW1..ICW4, masters at 0x20, slaves 0x28
    out 0x20, al
    out 0xa0, al
    mov al, 0x20
    out 0x21, al
    mov al, 0x28
    out 0xa1, al
    mov al, 4
    out 0x21, al
    mov al, 2
    out 0xa1, al
    mov al, 1
    out 0x21, al
    out 0xa1, al
    mov al, 0xfa                    ; IRQ 0 and the cascade
    out 0x21, al
    mov al, 0xfe                    ; IRQ 8
    out 0xa1, al

    call start_timers
    jmp wait_for_interrupts
all_came:
    SAY "ten of each"
    ret

on_pit:
    inc dword [pits]
    mov al, 0x20
    out 0x20, al
    jmp wait_for_more

on_rtc:
    inc dword [rtcs]
    call read_register_c
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    jmp wait_for_more
