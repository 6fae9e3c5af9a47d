/* GET /: the page for people, page.html. */
#include "http/endpoints.h"
#include "http/response.h"

#include PAGE_FILE

void page_handle(struct exchange *exchange)
{
    response_page(exchange, page, sizeof(page));
}
