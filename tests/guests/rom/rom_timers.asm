; The clocks agree with one another: N ticks of the PIT's channel 2 (1.193182 MHz) are 3 N ticks of
; the ACPI PM timer (3.579545 MHz), within 10 %. The host may take the CPU away at an end of an
; interval, which then looks too long, never too short: there are many tries, of three lengths up
; to what the PIT can count, none of which may be too short, and one of which must agree.
%include "rom.inc"
MAX_TRIES   equ 60                  ; 20 of each length
MIN_TRIES   equ 6
AGREED      equ 0x7f00
main:
    mov eax, LPC + 0x40
    mov ebx, PM_BASE | 1
    call pci_write
    mov eax, LPC + 0x44
    mov ebx, 0x80
    call pci_write
    mov dword [ss:AGREED], 0        ; tries; SS is 0
    mov bp, MAX_TRIES
    mov di, .lengths
.again:
    mov cx, [cs:di]                 ; PIT ticks of this try
    add di, 2
    cmp di, .lengths_end
    jb .gate_off
    mov di, .lengths
.gate_off:
    in al, 0x61
    and al, 0xfc
    out 0x61, al                    ; gate off
    mov al, 0xb0                    ; channel 2, low and high byte, mode 0
    out 0x43, al
    mov al, cl
    out 0x42, al
    mov al, ch
    out 0x42, al
    mov dx, PM_BASE + 8
    in eax, dx
    mov ebx, eax
    in al, 0x61
    or al, 1
    out 0x61, al                    ; gate on
.running:
    in al, 0x61
    test al, 0x20
    jz .running
    in eax, dx
    sub eax, ebx
    and eax, 0xffffff
    movzx ecx, cx
    mov esi, ecx
    imul esi, 27                    ; 9 / 10 of 3 N, times 10
    imul ecx, 33
    imul ebx, eax, 10
    cmp ebx, esi
    jb .wrong
    cmp ebx, ecx
    jae .tried
    inc dword [ss:AGREED]
.tried:
    dec bp
    cmp bp, MAX_TRIES - MIN_TRIES
    ja .again
    cmp dword [ss:AGREED], 0
    jne .right
    test bp, bp
    jnz .again
.wrong:
    call put_hex
    call new_line
    stc
    jmp .said
.lengths: dw 11932, 29830, 59659    ; 10, 25 and 50 ms
.lengths_end:
.right:
    clc
.said:
    CHECK "the PM timer and the PIT agree", nc

    ; Four seconds are too long for a test: the RTC's update comes once a second.
    mov al, 0x0b
    mov ah, 0x02
    call cmos_write
    mov al, 0
    call cmos_read
    mov bl, al
.turn:
    mov al, 0
    call cmos_read
    cmp al, bl
    je .turn
    mov bl, al
    in eax, dx
    mov esi, eax
.second:
    mov al, 0
    call cmos_read
    cmp al, bl
    je .second
    in eax, dx
    sub eax, esi
    and eax, 0xffffff
    cmp eax, 3579545 * 8 / 10
    jb .off
    cmp eax, 3579545 * 12 / 10
    ja .off
    cmp eax, eax
    jmp .told
.off:
    call put_hex
    call new_line
    cmp sp, 0
.told:
    CHECK "a second of the RTC is a second of the PM timer", e
    ret
ROM_END
