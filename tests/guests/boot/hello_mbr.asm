; A master boot record that writes a line by the BIOS's video service and stops: the shape of the
; example in Linux's boot-up story, what a person learning to boot writes first.
bits 16
org 0x7c00

start:
    xor ax, ax
    mov ds, ax
    mov si, line
next:
    lodsb
    test al, al
    jz stop
    mov ah, 0x0e            ; INT 10h: teletype output
    mov bx, 0x0007
    int 0x10
    jmp next
stop:
    mov al, 0x7c            ; the boot sector has had its turn: for --post-codes
    out 0x80, al
rest:
    hlt
    jmp rest

line: db "Hello MBR", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55
