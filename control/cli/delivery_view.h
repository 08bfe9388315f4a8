// Deliveries and their dead letters as tables for people.
#pragma once

#include <jansson.h>

/* Each prints to stdout and returns the exit status. */

int delivery_print_list(const json_t *deliveries); // as "delivery.list" answers
int delivery_print(const json_t *delivery);        // as "delivery.show" answers
int delivery_print_dead(const json_t *dead);       // notes, as "delivery.dead" answers
