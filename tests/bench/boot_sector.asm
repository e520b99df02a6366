; The disk of the benchmark: a master boot record whose first act is one byte on COM1, so that the
; byte's arrival on the host tells when firmware handed over.
;   nasm -f bin -o boot_sector.img boot_sector.asm
bits 16
org 0x7c00

com1 equ 0x3f8
line_status equ com1 + 5

start:
    mov dx, line_status     ; firmware's last characters go first
wait_ready:
    in al, dx
    test al, 0x20
    jz wait_ready
    mov dx, com1
    mov al, 0x02            ; firmware_boot waits for it; no firmware writes it
    out dx, al
rest:
    hlt
    jmp rest

    times 510 - ($ - $$) db 0
    dw 0xaa55
