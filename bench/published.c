#include "play.h"
#include "lstm.h"
#include "install.h"
#include "partition/lone.h"
#include <stdio.h>
int main(void)
{
    struct lpu_chip m = play_machine("configs/rack.cfg");
    struct play p;
    play_open(&p, &m, 1, 8, 1);
    p.program[0] = install_best(&m);
    play_start(&p, false);
    struct play_result r = play_step(&p);
    printf("install %ld viol %ld\n", r.length_cycles, r.violations);
    play_close(&p);
    play_open(&p, &m, 1, 8, 1);
    struct block b = lone_open(&m);
    struct lstm l;
    lstm_emit(&b, 512, &l);
    p.program[0] = lone_program(&b, 0, b.end);
    play_start(&p, false);
    r = play_step(&p);
    printf("lstm %ld viol %ld\n", r.length_cycles, r.violations);
}
