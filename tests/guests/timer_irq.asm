; Interrupts reach the CPU: PIT channel 0 through the PIC's IRQ 0, and the RTC's periodic
; interrupt through IRQ 8; ten of each.
%include "pvh.inc"

main:
    mov edi, idt                    ; all vectors back to the loop, two to their handlers
    mov ecx, 256
.fill:
    mov eax, ignore
    call set_gate
    loop .fill
    mov edi, idt + 0x20 * 8
    mov eax, on_pit
    call set_gate
    mov edi, idt + 0x28 * 8
    mov eax, on_rtc
    call set_gate
    lidt [idt_register]

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
    cmp dword [rtcs], 10
    jae .done
.rest:
    sti
    hlt
    jmp wait_for_more
.done:
    SAY "ten of each"
    ret

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
    mov al, 0x20
    out 0x20, al
ignore:
    jmp wait_for_more

on_rtc:
    inc dword [rtcs]
    mov al, 0x0c                    ; reading register C lets the next one come
    out 0x70, al
    in al, 0x71
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
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
