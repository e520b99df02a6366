; The clocks agree with one another: 50 ms of the PIT's channel 2 are 178,977 ticks of the ACPI PM
; timer (3.579545 MHz), within 10 %: the host may take the CPU away for a while.
%include "rom.inc"
PIT_50_MS   equ 59659               ; at 1.193182 MHz
main:
    mov eax, LPC + 0x40
    mov ebx, PM_BASE | 1
    call pci_write
    mov eax, LPC + 0x44
    mov ebx, 0x80
    call pci_write
    mov bp, 5                       ; tries: the host is shared
.again:
    in al, 0x61
    and al, 0xfc
    out 0x61, al                    ; gate off
    mov al, 0xb0                    ; channel 2, low and high byte, mode 0
    out 0x43, al
    mov al, PIT_50_MS & 0xff
    out 0x42, al
    mov al, PIT_50_MS >> 8
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
    cmp eax, 178977 * 9 / 10
    jb .wrong
    cmp eax, 178977 * 11 / 10
    jb .right
.wrong:
    dec bp
    jnz .again
    call put_hex
    call new_line
    stc
    jmp .said
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
