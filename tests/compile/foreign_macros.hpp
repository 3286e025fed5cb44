// Macros of other headers that are defined before ours may come: X11's, those of <complex.h> and of windows.h. No
// #pragma once: this file is part of a test, read once by each.

#define Success 0
#define None 0L
#define Status int
#define Bool int
#define True 1
#define False 0
#define Always 2
#define Complex 0
#define I _Complex_I
#define near
#define far
#define small char
#define interface struct
#define IN
#define OUT
#define ERROR 0
#define DELETE 0x00010000L
#define CONST const
#define VOID void
#define PASCAL
#define DIFFERENCE 3
#define generic 1
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
