package ecomanagersim

const controlHelp = `EcoManager simulator, control door

Below, SHOP stands for /control/tenants/{tenant}/shops/{shop}. Bodies are JSON; unknown fields are refused; a PUT changes the fields it names.

The world
GET    /control/shops                      shops, tokens, counts
GET    SHOP/orders                         the truth: every order of a shop; ?after=ID&limit=N (1000)
POST   SHOP/orders                         {"count": 3, "change": {...}}: new orders, all at one instant
PATCH  SHOP/orders                         {"ids": [...] | "stage": "DISPATCH" | neither, "newest": 300, "change": {...}}: changed at one instant
DELETE SHOP/orders                         {"ids": [...], ...} as above: they vanish
POST   SHOP/token                          regenerate the token; the old one answers 403
GET    /control/tenants/{tenant}/orders/{id}   the truth: one order
PATCH  /control/tenants/{tenant}/orders/{id}   a change: {"stage": "DISPATCH", "phone": "...", "total": 360000,
                                           "updatedAt": "2035-01-01T00:00:00Z", "untouched": true, ...}
DELETE /control/tenants/{tenant}/orders/{id}   the order vanishes; reading it alone answers 404 with JSON
GET    /control/requests                   requests by shop; DELETE sets them to zero
GET    /control/engine                     PUT {"running": true, "speed": 60}: business seconds a second
POST   /control/engine/advance             {"by": "48h"}: let business time pass at once
GET    /control/dirt                       PUT the same object: shares from 0 to 1

Quotas
GET    /control/quota                      PUT {"on": true, "perSecond": 5, "perMinute": 50, "perHour": 1000, "perDay": 10000, "speed": 60,
                                           "withoutRetryAfter": false, "withoutHeaders": false}: for all shops; speed 60 = an hour lasts a minute
GET    SHOP/quota                          PUT the same for one shop
POST   SHOP/quota/spend                    {"window": "SECOND | MINUTE | HOUR | DAY"}: use it up

Webhooks (registered by the shop API itself)
GET    SHOP/webhooks                       the truth: every hook, its state, deliveries made and failed attempts
GET    /control/webhooks                   deliveries that wait; PUT {"speed": 1440}: the day between first and last retry lasts a minute

Faults
GET    /control/faults                     what is set, and how often it struck; DELETE removes all
POST   /control/faults                     {"kind": "...", "tenant": "", "shop": "", "target": "LISTING | READING | PRODUCTS | WEBHOOKS",
                                           "cursor": "...", "order": ID, "after": N, "share": 0.1, "times": N}
DELETE /control/faults/{id}                remove one
  Which: what is left away does not narrow; cursor "" is the first page; order is the page that shows it and the reading of it.
  How often: after N matching requests, a share of them (0 = all), until times were struck (0 = until removed).
  STATUS status (500) retryAfter           JSON below 500, HTML from there on
  REDIRECT status (302) to                 Location
  HANG | STALL                             no answer, or half of one, until the caller leaves
  SLOW by                                  the right answer, "35s" later
  RESET | CUT | TRUNCATE                   half an answer and: connection reset, closed, or nothing to tell that it is half
  WRONG_SHAPE                              data is not a list, an order is not an object
  BAD_ROW                                  a row that cannot be read: order, or the first of the page
  NO_DATE | CLOCK_OFF by                   no Date header, or one that is off
  GARBAGE_CURSOR to | SAME_CURSOR          a next_cursor that means nothing, or that leads to the same page
  IGNORE_SORT | NO_TIE_BREAK               sort_by is ignored; cursors by time carry no id

Stages: CONFIRMING PREPARING DISPATCH DELIVERING DELIVERED COLLECTED CANCELLED RETURNING RETURNED. "state" sets any literal text.
Amounts are centimes, times RFC 3339, durations like "1m30s".
`
