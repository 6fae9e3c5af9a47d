/* GET /: the page for people, page.html. */
#include "http/endpoints.h"
#include "http/response.h"

#include <page.inc> /* made of page.html */

void page_handle(struct exchange *exchange)
{
    response_page(exchange, page, sizeof(page));
}
