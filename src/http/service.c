#include "http/service.h"

#include <time.h>

#include "http/http_date.h"

const char *service_date(struct service *service)
{
    time_t now = time(NULL);
    if (now != service->date_s) {
        service->date_s = now;
        http_date_write(now, service->date);
    }
    return service->date;
}
