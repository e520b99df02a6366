; Interrupts reach the CPU through the IOAPIC: the PIT as edges at pin 2, and the RTC's periodic
; interrupt as a level at pin 8. Every second level interrupt ends without its cause being taken
; away, so that only an IOAPIC that hears of the end and looks at its input sends the next one.
%include "pvh.inc"

lapic equ 0xfee00000
lapic_eoi equ lapic + 0xb0
lapic_spurious equ lapic + 0xf0
ioapic_select equ 0xfec00000
ioapic_window equ 0xfec00010

%macro IOAPIC 2
    mov dword [ioapic_select], %1
    mov dword [ioapic_window], %2
%endmacro

main:
    mov edi, idt                    ; all vectors back to the loop, two to their handlers
    mov ecx, 256
.fill:
    mov eax, ignore
    call set_gate
    loop .fill
    mov edi, idt + 0x30 * 8
    mov eax, on_pit
    call set_gate
    mov edi, idt + 0x38 * 8
    mov eax, on_rtc
    call set_gate
    lidt [idt_register]

    mov al, 0xff                    ; nothing through the 8259s
    out 0x21, al
    out 0xa1, al
    mov dword [lapic_spurious], 0x1ff

    IOAPIC 0x10 + 2 * 2 + 1, 0
    IOAPIC 0x10 + 2 * 2, 0x30       ; edge
    IOAPIC 0x10 + 8 * 2 + 1, 0
    IOAPIC 0x10 + 8 * 2, 0x8038     ; level
    mov dword [ioapic_select], 0x10 + 8 * 2
    mov eax, [ioapic_window]
    cmp eax, 0x8038
    jne failed

    mov al, 0x34                    ; channel 0, rate generator, 1193 clocks: 1 kHz
    out 0x43, al
    mov al, 1193 & 0xff
    out 0x40, al
    mov al, 1193 >> 8
    out 0x40, al

    mov al, 0x0b                    ; register B: periodic interrupt, 24 h
    out 0x70, al
    mov al, 0x42
    out 0x71, al
    mov al, 0x0c
    out 0x70, al
    in al, 0x71

    mov [loop_stack], esp
wait_for_more:
    mov esp, [loop_stack]           ; whatever an interrupt has pushed is not needed
    cmp dword [pits], 10
    jb .rest
    cmp dword [rtcs], 20
    jae .done
.rest:
    sti
    hlt
    jmp wait_for_more
.done:
    SAY "edges and levels"
    ret
failed:
    mov esi, .text
    jmp fail
.text: db "the entry does not read as it was written", 0

; Point the gate at EDI to EAX, and EDI to the next gate.
set_gate:
    mov [edi], ax
    mov word [edi + 2], 0
    mov [edi + 2], cs
    mov word [edi + 4], 0x8e00
    shr eax, 16
    mov [edi + 6], ax
    add edi, 8
    ret

; The handlers go back to the loop's start instead of returning: some KVMs can't emulate IRET.
on_pit:
    inc dword [pits]
    jmp end_of_interrupt

on_rtc:
    inc dword [rtcs]
    test dword [rtcs], 1
    jnz end_of_interrupt            ; the level stays
    mov al, 0x0c                    ; reading register C takes it away
    out 0x70, al
    in al, 0x71
end_of_interrupt:
    mov dword [lapic_eoi], 0
ignore:
    jmp wait_for_more

section .data
pits: dd 0
rtcs: dd 0
loop_stack: dd 0
idt_register:
    dw 256 * 8 - 1
    dd idt
section .bss
align 8
idt: resb 256 * 8
section .text
